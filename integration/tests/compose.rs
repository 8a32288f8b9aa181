//! The compose folder, checked without a container engine: the services say what they must, and
//! everything that they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::harness::{limits, mesh_node_program, workspace_root};
use serde_json::{Map, Value};

/// Keys of the compose specification that a service here may use. Not all that there are: one
/// that is added here should be known to be spelled right.
const SERVICE_KEYS: [&str; 14] = [
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "profiles",
    "restart",
    "security_opt",
    "stop_grace_period",
    "user",
    "volumes",
];

fn folder() -> PathBuf {
    workspace_root().join("compose")
}

fn compose() -> Value {
    let text = fs::read_to_string(folder().join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Reads a duration as compose writes it: `45s`, `2s`.
fn duration(value: &Value) -> Duration {
    let text = value.as_str().unwrap();
    let seconds = text.strip_suffix('s').unwrap_or_else(|| panic!("{text} is not in seconds"));
    Duration::from_secs(seconds.parse().unwrap())
}

#[test]
fn the_file_has_the_shape_of_the_specification() {
    let compose = compose();
    let top: BTreeSet<&str> = compose.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(top, BTreeSet::from(["name", "services", "volumes"]));
    for (name, service) in services(&compose) {
        for (key, value) in service.as_object().unwrap() {
            assert!(SERVICE_KEYS.contains(&key.as_str()), "{name}: {key}");
            let fits = match key.as_str() {
                "image" | "restart" | "stop_grace_period" | "user" => value.is_string(),
                "environment" => value.as_object().unwrap().values().all(Value::is_string),
                "build" | "depends_on" | "healthcheck" => value.is_object(),
                _ => value.as_array().unwrap().iter().all(Value::is_string),
            };
            assert!(fits, "{name}: {key} is {value}");
        }
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.split_once(':').expect("an image names its version");
        assert!(tag != "latest", "{name}: {image} may be anything tomorrow");
    }
}

#[test]
fn every_service_is_healthy_before_what_needs_it_starts() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let check = service["healthcheck"].as_object().unwrap();
        let test = strings(&check["test"]);
        assert!(test[0] == "CMD" && test.len() > 1, "{name}: {test:?}");
        assert!(duration(&check["timeout"]) <= duration(&check["interval"]), "{name}");
        assert!(check["retries"].as_u64().unwrap() >= 3 && check.contains_key("start_period"));
        if let Some(needs) = service.get("depends_on") {
            for (needed, how) in needs.as_object().unwrap() {
                assert!(services(&compose).contains_key(needed), "{name} needs {needed}");
                assert_eq!(how["condition"], "service_healthy", "{name} needs {needed}");
            }
        }
    }
    assert!(compose["services"]["node"]["depends_on"]["nats"].is_object());
}

#[test]
fn nodes_scale_and_have_the_time_to_drain() {
    let compose = compose();
    let node = &compose["services"]["node"];
    for one_only in ["container_name", "ports"] {
        assert!(node.get(one_only).is_none(), "{one_only} lets there be one node only");
    }
    let grace = duration(&node["stop_grace_period"]);
    assert!(grace >= Duration::from_millis(limits::NODE_STOP_MS), "{grace:?}");
}

#[test]
fn everything_that_the_services_name_exists() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for volume in service.get("volumes").map(strings).unwrap_or_default() {
            let source = volume.split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(folder().join(source).is_file(), "{name}: {source}");
            } else {
                assert!(compose["volumes"].get(source).is_some(), "{name}: {source}");
            }
        }
        if let Some(build) = service.get("build") {
            let context = folder().join(build["context"].as_str().unwrap());
            let file = context.join(build["dockerfile"].as_str().unwrap());
            let target = build["target"].as_str().unwrap();
            assert!(stages(&file).iter().any(|stage| stage == target), "{name}: {target}");
        }
        for port in service.get("ports").map(strings).unwrap_or_default() {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port} is open to everybody");
        }
    }
}

#[test]
fn the_server_of_compose_gets_what_its_configuration_reads() {
    let compose = compose();
    let nats = &compose["services"]["nats"];
    let given = nats["environment"].as_object().unwrap();
    let text = fs::read_to_string(folder().join("nats/single.conf")).unwrap();
    let settings = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let read: BTreeSet<&str> = settings.filter_map(|line| Some(line.split_once('$')?.1)).collect();
    assert_eq!(read, given.keys().map(String::as_str).collect());

    // The file, the store and the address of the check are where the container has them.
    let volumes = strings(&nats["volumes"]);
    let command = strings(&nats["command"]);
    let config = command.last().unwrap();
    assert!(volumes.contains(&format!("./nats/single.conf:{config}:ro").as_str()));
    let store = given["MESH_NATS_STORE"].as_str().unwrap();
    assert!(volumes.iter().any(|volume| volume.ends_with(&format!(":{store}"))));
    let check = strings(&nats["healthcheck"]["test"]).concat();
    assert!(check.contains(given["MESH_NATS_HTTP"].as_str().unwrap()), "{check}");
}

/// Returns the instructions of a Dockerfile, continued lines joined.
fn instructions(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap().replace("\\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
        .collect()
}

/// Returns the names of a Dockerfile's stages.
fn stages(file: &Path) -> Vec<String> {
    let from = instructions(file).into_iter().filter(|(word, _)| word == "FROM");
    from.filter_map(|(_, rest)| Some(rest.split_once(" AS ")?.1.to_owned())).collect()
}

#[test]
fn the_image_is_built_in_stages_and_runs_as_nobody_special() {
    let file = folder().join("Dockerfile");
    assert_eq!(stages(&file), ["build", "node"]);
    let instructions = instructions(&file);
    let all = |word: &str| -> Vec<&str> {
        instructions.iter().filter(|(w, _)| w == word).map(|(_, rest)| rest.as_str()).collect()
    };

    for image in all("FROM") {
        let image = image.split(' ').next().unwrap();
        let (_, tag) = image.split_once(':').expect("an image names its version");
        assert!(tag.ends_with("bookworm") || tag.ends_with("bookworm-slim"), "{image}");
    }
    let wanted = fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
    let rust = wanted.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert!(all("FROM")[0].contains(&format!("rust:{}-", rust.trim_matches('"'))));
    assert!(all("RUN").iter().any(|run| run.contains("cargo build --release --locked")));

    let users = all("USER");
    let user = users.last().unwrap().split(':').next().unwrap();
    assert!(user.parse::<u32>().unwrap() > 0, "{user} is root");
    let last_from = instructions.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let last_user = instructions.iter().rposition(|(word, _)| word == "USER").unwrap();
    let entry = instructions.iter().rposition(|(word, _)| word == "ENTRYPOINT").unwrap();
    assert!(last_from < last_user && last_user < entry);

    for copy in all("COPY").into_iter().filter(|copy| !copy.contains("--from=")) {
        let paths: Vec<&str> = copy.split(' ').filter(|word| !word.starts_with("--")).collect();
        let (_, sources) = paths.split_last().unwrap();
        for source in sources {
            assert!(workspace_root().join(source).exists(), "COPY {source}");
        }
    }
}

#[test]
fn the_image_is_not_built_from_what_was_built_before() {
    let text = fs::read_to_string(workspace_root().join(".dockerignore")).unwrap();
    let ignored: Vec<&str> = text.lines().collect();
    for heavy in [".git", ".tools", "target", "**/node_modules"] {
        assert!(ignored.contains(&heavy), "{heavy}");
    }
    // Nothing that the build needs is left out.
    let manifest = fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
    for line in manifest.lines().skip_while(|line| *line != "members = [").skip(1) {
        let Some(member) = line.trim().strip_prefix('"') else { break };
        let member = member.trim_end_matches(['"', ',']);
        assert!(!ignored.iter().any(|left_out| member.starts_with(left_out)), "{member}");
    }
}

#[test]
fn the_scripts_use_flags_that_the_node_has() {
    let help = Command::new(mesh_node_program().unwrap()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let text = fs::read_to_string(folder().join("start-node")).unwrap();
    let flags = text.split(['"', ' ', '\n']).filter(|word| word.len() > 2);
    let flags: BTreeSet<&str> = flags.filter(|word| word.starts_with("--")).collect();
    let expected = ["--label", "--lattice", "--log-format", "--nats", "--trust"];
    assert_eq!(flags, BTreeSet::from(expected));
    for flag in flags {
        let known = help.split([' ', ',', '\n']).any(|word| word == flag);
        assert!(known, "mesh-node has no {flag}:\n{help}");
    }
}

#[test]
fn a_node_starts_with_what_its_container_is_told() {
    // In place of the node, a program that shows what it was given.
    let bin = tempfile::tempdir().unwrap();
    let node = bin.path().join("mesh-node");
    fs::write(&node, "#!/bin/sh\nfor word; do echo \"$word\"; done\n").unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());

    let compose = compose();
    let given = compose["services"]["node"]["environment"].as_object().unwrap();
    let names: Vec<&str> = given.keys().map(String::as_str).collect();
    let output = Command::new(folder().join("start-node"))
        .arg("--more")
        .env_clear()
        .env("PATH", path)
        .envs(names.iter().map(|name| (name, format!("{name}-value and-another"))))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(
        words[..4],
        ["--nats", "MESH_NATS-value and-another", "--lattice", "MESH_LATTICE-value and-another"]
    );
    assert!(words[5].strip_prefix("container=").is_some_and(|host| !host.is_empty()));
    assert_eq!(
        words[6..],
        ["--log-format", "json", "--more", "--trust", "MESH_TRUST-value", "--trust", "and-another"]
    );
}
