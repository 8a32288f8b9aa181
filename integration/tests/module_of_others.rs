//! A module made with the crate `wapc-guest`, which knows nothing of the mesh, by way of `meshctl`
//! alone: signed, deployed, called, its errors and its own calls.

use integration::harness::{Meshctl, actor_module};
use integration::testbed::Testbed;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_signed_deployed_and_called_as_any_other() {
    let bed = Testbed::start("others").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    for (name, module, capability) in
        [("sample", "wapc-guest-sample", "mesh:actor:echo"), ("echo", "echo", "mesh:none")]
    {
        let module = actor_module(module).unwrap();
        let signed = user.home().join(format!("{name}.signed.wasm"));
        let (module, signed) = (module.to_str().unwrap(), signed.to_str().unwrap());
        let sign = ["sign", module, "--name", name, "--cap", capability, "--out", signed];
        user.ok(&sign).await.unwrap();
        user.ok(&["deploy", signed]).await.unwrap();
    }

    let answer = user.ok(&["call", "sample", "echo", "--text", "words"]).await.unwrap();
    assert_eq!(answer.trim(), "words");
    // Its own host call reaches another actor.
    let answer = user.ok(&["call", "sample", "relay", "--text", "echo echo more words"]).await;
    assert_eq!(answer.unwrap().trim(), "more words");
    // Its errors keep their text.
    let failed = user.run(&["call", "sample", "fail", "--text", "on purpose"]).await.unwrap();
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(
        failed.stderr.contains("actor_error") && failed.stderr.contains("on purpose"),
        "{}",
        failed.stderr
    );
    let failed = user.run(&["-o", "json", "call", "sample", "sing"]).await.unwrap();
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).unwrap();
    assert_eq!(error["error"]["code"], "actor_error", "{error}");
}
