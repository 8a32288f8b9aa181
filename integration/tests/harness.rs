//! The harness itself: what it starts is real, survives what it must, and leaves nothing behind.

use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures_util::StreamExt;
use integration::harness::{
    NatsCluster, NatsServer, ProcessGuard, Signal, check_config, wait_for, wait_until,
};
use integration::proxy::{Cut, FaultProxy};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_starts_with_jetstream() {
    let server = NatsServer::start().await.unwrap();
    let client = server.connect().await.unwrap();
    assert_eq!(client.server_info().server_name, server.name());
    let account = jetstream::new(client).query_account().await.unwrap();
    assert_eq!(account.streams, 0, "a server starts without anybody's state");
    assert!(server.store().join("jetstream").is_dir());
}

#[tokio::test]
async fn state_survives_stop_and_kill() {
    let mut server = NatsServer::start().await.unwrap();
    let url = server.url();
    let store = jetstream::new(server.connect().await.unwrap());
    let config = jetstream::kv::Config { bucket: "kept".into(), ..Default::default() };
    let bucket = store.create_key_value(config).await.unwrap();

    bucket.put("stopped", "1".into()).await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    let bucket =
        wait_for("the client to reconnect", SOON, async || Ok(store.get_key_value("kept").await?));
    let bucket = bucket.await.unwrap();
    assert_eq!(bucket.get("stopped").await.unwrap().unwrap(), "1");

    bucket.put("killed", "2".into()).await.unwrap();
    server.kill().unwrap();
    assert!(server.connect().await.is_err(), "nobody answers for a server that was killed");
    server.start_again().await.unwrap();
    let store = jetstream::new(server.connect().await.unwrap());
    let bucket = store.get_key_value("kept").await.unwrap();
    assert_eq!(bucket.get("killed").await.unwrap().unwrap(), "2");
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_it_thaws() {
    let mut server = NatsServer::start().await.unwrap();
    let client = server.connect().await.unwrap();
    let mut heard = client.subscribe("a").await.unwrap();
    client.flush().await.unwrap();

    server.freeze().await.unwrap();
    client.publish("a", "1".into()).await.unwrap();
    client.flush().await.unwrap();
    let quiet = Duration::from_millis(200);
    let silence = tokio::time::timeout(quiet, futures_util::StreamExt::next(&mut heard)).await;
    assert!(silence.is_err(), "a frozen server delivered {silence:?}");

    server.thaw().unwrap();
    let message = tokio::time::timeout(SOON, futures_util::StreamExt::next(&mut heard)).await;
    assert_eq!(message.unwrap().unwrap().payload, "1");
}

#[tokio::test]
async fn lines_can_be_added_to_the_configuration() {
    let users = r#"authorization { users: [ { user: "u", password: "p" } ] }"#;
    let server = NatsServer::start_with(users).await.unwrap();
    assert!(server.connect().await.is_err(), "the server wants a password");
    let options = async_nats::ConnectOptions::with_user_and_password("u".into(), "p".into());
    options.connect(server.url()).await.unwrap();

    let refused = NatsServer::start_with("no such { option").await.err().unwrap().to_string();
    assert!(refused.contains("nats-server") && refused.contains("ended"), "{refused}");
}

#[tokio::test]
async fn three_servers_form_a_cluster_that_survives_the_loss_of_its_leader() {
    let mut cluster = NatsCluster::start().await.unwrap();
    let client = cluster.connect().await.unwrap();
    let store = jetstream::new(client);
    let config = jetstream::stream::Config {
        name: "kept".into(),
        subjects: vec!["kept".into()],
        num_replicas: 3,
        ..Default::default()
    };
    let mut stream = store.create_stream(config).await.unwrap();
    store.publish("kept", "1".into()).await.unwrap().await.unwrap();

    let leader = stream.info().await.unwrap().cluster.clone().unwrap().leader.unwrap();
    cluster.named(&leader).unwrap().kill().unwrap();
    let published = wait_for("another leader to take a message", SOON, async || {
        Ok(store.publish("kept", "2".into()).await?.await?)
    });
    let sequence = published.await.unwrap().sequence;
    assert!(sequence >= 2, "what was acknowledged is kept, not {sequence}");

    cluster.named(&leader).unwrap().start_again().await.unwrap();
    cluster.wait_until_formed().await.unwrap();
    wait_until("three copies that are up to date", SOON, async || {
        let Ok(info) = stream.info().await else { return false };
        let cluster = info.cluster.clone().unwrap();
        cluster.leader.is_some()
            && cluster.replicas.len() == 2
            && cluster.replicas.iter().all(|copy| copy.current && !copy.offline)
    })
    .await
    .unwrap();
}

#[test]
fn the_server_accepts_every_configuration() {
    for name in ["single.conf", "cluster.conf"] {
        check_config(name).unwrap();
    }
}

/// It can fail: servers tell each other addresses, and would go around the proxies if those worked.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_routes_are_cut_is_alone_until_they_are_healed() {
    let mut cluster = Box::pin(NatsCluster::start_with_routes()).await.unwrap();
    let there = cluster.servers()[0].connect().await.unwrap();
    let here = cluster.servers()[1].connect().await.unwrap();
    let hears = async || {
        let mut heard = here.subscribe("routes").await?;
        here.flush().await?;
        // Interest takes a moment to reach the other server, so it is told more than once.
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            there.publish("routes", "heard?".into()).await?;
            there.flush().await?;
            let next = tokio::time::timeout(Duration::from_millis(20), heard.next());
            if next.await.is_ok_and(|heard| heard.is_some()) {
                return anyhow::Ok(true);
            }
        }
        Ok(false)
    };
    assert!(hears().await.unwrap());
    for route in cluster.routes_of(0) {
        route.refuse();
        route.cut(Cut::Reset);
    }
    wait_until("the servers to be apart", SOON, async || !hears().await.unwrap()).await.unwrap();
    // They stay apart: nobody finds a way around.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!hears().await.unwrap());
    cluster.routes_of(0).for_each(FaultProxy::heal);
    wait_until("the servers to be together", SOON, async || hears().await.unwrap()).await.unwrap();
    Box::pin(cluster.wait_until_formed()).await.unwrap();
}

#[tokio::test]
async fn a_process_is_asked_and_its_end_is_seen() {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.01; done"#]);
    let mut process = ProcessGuard::spawn("shell", command).unwrap();
    wait_until("the shell to be up", SOON, async || process.log().unwrap().contains("up"))
        .await
        .unwrap();
    assert!(process.exit_status().unwrap().is_none());
    let status = process.terminate(SOON).await.unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(process.log().unwrap().contains("asked"));
    let refused = process.signal(Signal::SIGTERM).unwrap_err().to_string();
    assert!(refused.contains("shell ended") && refused.contains("asked"), "{refused}");
}

#[tokio::test]
async fn nothing_outlives_its_guard() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 300 & echo $!; wait"]);
    let process = ProcessGuard::spawn("shell", command).unwrap();
    let read = wait_for("the id of the grandchild", SOON, async || {
        Ok(process.log()?.trim().parse::<i32>()?)
    });
    let grandchild = read.await.unwrap();
    assert!(runs(grandchild));
    drop(process);
    wait_until("the grandchild to end", SOON, async || !runs(grandchild)).await.unwrap();
}

/// Is run by the next test in a process of its own, which is then killed.
#[tokio::test]
#[ignore = "is run by another test"]
async fn hold_a_process_until_killed() {
    let mut command = Command::new("/bin/sleep");
    command.arg("300");
    let mut process = ProcessGuard::spawn("sleep", command).unwrap();
    println!("held {}", process.pid());
    process.wait(Duration::from_secs(300)).await.unwrap();
}

#[tokio::test]
async fn nothing_outlives_a_test_that_is_killed() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "harness::hold_a_process_until_killed"]);
    let mut test = ProcessGuard::spawn("test", command).unwrap();
    let read = wait_for("the id of the held process", SOON, async || {
        let log = test.log()?;
        let id = log.split("held ").nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(id.unwrap_or_default().parse::<i32>()?)
    });
    let held = read.await.unwrap();
    assert!(runs(held));
    test.kill().unwrap();
    wait_until("the held process to end", SOON, async || !runs(held)).await.unwrap();
}

#[tokio::test]
async fn a_wait_ends_at_its_bound_and_names_what_it_waited_for() {
    let short = Duration::from_millis(50);
    let start = std::time::Instant::now();
    let error = wait_until("the moon", short, async || false).await.unwrap_err();
    assert!(start.elapsed() >= short);
    assert!(format!("{error:#}").contains("the moon"), "{error:#}");

    // A look that hangs does not hang the wait.
    let error = wait_until("the sun", short, std::future::pending).await.unwrap_err();
    assert!(format!("{error:#}").contains("did not end"), "{error:#}");
}

/// Returns whether a process runs; one that nobody has reaped yet does not.
fn runs(id: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { return false };
    // `id (name) state …`, where the name may hold anything.
    !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}

/// As `--help` of each says.
#[tokio::test]
async fn a_program_that_finds_no_nats_says_so_by_its_exit_code() {
    let folder = integration::harness::programs_folder().unwrap();
    let nowhere = format!("nats://127.0.0.1:{}", integration::harness::free_port().unwrap());
    let starts = ["mesh-node", "random", "meshctl"].map(|name| {
        let mut command = tokio::process::Command::new(folder.join(name));
        command.args(["--nats", &nowhere]).env_clear().kill_on_drop(true);
        match name {
            "meshctl" => command.arg("ls"),
            _ => command.args(["--connect-timeout", "1"]),
        };
        async move { (name, command.output().await.unwrap()) }
    });
    for (name, output) in futures_util::future::join_all(starts).await {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{name}: {said}");
        assert!(said.contains("no NATS server answers"), "{name}: {said}");
    }
}
