use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use lattice_protocol::names::Digest;
use tempfile::TempDir;

use super::*;

const PREPARED: Preparation = Preparation { is_initialised: true, rewound_globals: Some(3) };

fn engine() -> Engine {
    Engine::default()
}

fn name(engine: &Engine, text: &str) -> CodeName {
    CodeName::of(&Compatibility::of(engine, engine), &Digest::of(text.as_bytes()), 1)
}

fn code(engine: &Engine) -> Code {
    let wasm = wat::parse_str(r#"(module (memory (export "memory") 1))"#).unwrap();
    let module = Module::from_binary(engine, &wasm).unwrap();
    Code { module, preparation: PREPARED, note: b"a note".to_vec() }
}

fn files(folder: &TempDir) -> usize {
    std::fs::read_dir(folder.path()).unwrap().count() - 1
}

#[test]
fn what_is_kept_is_found_with_all_that_was_known_of_it() {
    let (engine, folder) = (engine(), private());
    let cache = CodeCache::open(folder.path()).unwrap();
    assert!(cache.find(&engine, &name(&engine, "one")).is_none());
    assert!(cache.keep(&engine, &name(&engine, "one"), &code(&engine)).is_some());
    let again = CodeCache::open(folder.path()).unwrap();
    let found = again.find(&engine, &name(&engine, "one")).unwrap();
    assert_eq!((found.preparation, &found.note[..]), (PREPARED, &b"a note"[..]));
    assert!(found.module.get_export("memory").is_some());
    assert!(again.find(&engine, &name(&engine, "two")).is_none());
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let (engine, folder) = (engine(), private());
    let cache =
        CodeCache::bounded(folder.path(), Bounds { bytes: u64::MAX / 2, files: 3 }).unwrap();
    let age = |text: &str, s| {
        let path = folder.path().join(name(&engine, text).to_string());
        let used = SystemTime::now() - Duration::from_secs(s);
        File::open(path).unwrap().set_modified(used).unwrap();
    };
    let keep = |text| cache.keep(&engine, &name(&engine, text), &code(&engine)).is_some();
    let find = |text| cache.find(&engine, &name(&engine, text)).is_some();
    for (text, s) in [("one", 30), ("two", 20), ("three", 10)] {
        assert!(keep(text));
        age(text, s);
    }
    assert!(find("one"), "now it is the one that was used last");
    assert!(keep("four"));
    assert_eq!(files(&folder), 3);
    assert!(find("one") && find("three") && find("four") && !find("two"));
}

#[test]
fn all_files_together_are_bounded_in_bytes() {
    let (engine, folder) = (engine(), private());
    let probe = CodeCache::open(folder.path()).unwrap();
    probe.keep(&engine, &name(&engine, "0"), &code(&engine));
    let one = folder.path().join(name(&engine, "0").to_string()).metadata().unwrap().len();
    let cache = CodeCache::bounded(folder.path(), Bounds { bytes: 4 * one, files: 1_000 }).unwrap();
    for number in 1..20 {
        cache.keep(&engine, &name(&engine, &number.to_string()), &code(&engine));
        assert!(files(&folder) <= 4);
    }
}

#[test]
fn what_a_writer_that_died_left_goes_and_what_is_not_ours_stays() {
    let (engine, folder) = (engine(), private());
    let cache = CodeCache::open(folder.path()).unwrap();
    let leave = |name: &str, s| {
        let file = File::create(folder.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(s)).unwrap();
    };
    let old = 2 * crate::limits::CODE_UNFINISHED_S_MAX;
    leave(".new-dead", old);
    leave(".new-at-work", 0);
    leave("notes.txt", old);
    cache.keep(&engine, &name(&engine, "one"), &code(&engine));
    let there = |name| folder.path().join(name).exists();
    assert!(!there(".new-dead") && there(".new-at-work") && there("notes.txt") && there("secret"));
}

fn private() -> TempDir {
    let alone = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(alone).tempdir().unwrap()
}
