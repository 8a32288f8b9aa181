//! Compiled code is kept on disk, and nothing is run that this user's nodes did not write.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use lattice_protocol::claims::VerifiedModule;
use mesh_runtime::{ActorOptions, Engine, EngineOptions};
use tempfile::TempDir;

use crate::guests::guest_of;
use crate::support::{call, options, signed};

/// Bytes behind the code and the claims: two lengths, a flag, the tag.
const FOOTER_BYTES: usize = 8 + 4 + 1 + 32;

fn engine(folder: &Path) -> Engine {
    let code_folder = Some(folder.to_owned());
    Engine::new(EngineOptions { slots: 8, code_folder, ..EngineOptions::default() }).unwrap()
}

/// A folder that is not there yet.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("cache").join("code")
    }

    fn secret(&self) -> PathBuf {
        self.path().join("secret")
    }

    /// The files of code, by name.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path()) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.ends_with("secret"));
        files.sort();
        files
    }

    fn only_file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

/// A guest that says what its initialisation left.
fn guest(text: &str) -> VerifiedModule {
    let items = format!(
        r#"(data (i32.const 64) "?{text}")
        (func $begin (export "wapc_init") (i32.store8 (i32.const 64) (i32.const 33)))"#
    );
    let length = text.len() + 1;
    let answer =
        format!("(call $guest_response (i32.const 64) (i32.const {length})) (i32.const 1)");
    signed(&guest_of("wapc", &items, &answer))
}

/// One and the same module: what is signed a second later is another.
fn hello() -> &'static VerifiedModule {
    static HELLO: LazyLock<VerifiedModule> = LazyLock::new(|| guest("hello"));
    &HELLO
}

async fn answers(engine: &Engine, module: &VerifiedModule, text: &str) {
    let actor = engine.compile(module, options()).unwrap();
    assert_eq!(call(&actor, "Ask", b"").await.unwrap(), format!("!{text}"));
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_module_is_compiled_once_and_found_after_a_restart() {
    let (place, module) = (Place::new(), hello());
    answers(&engine(&place.path()), module, "hello").await;
    let file = inode(&place.only_file());
    let again = engine(&place.path());
    answers(&again, module, "hello").await;
    assert_eq!(inode(&place.only_file()), file, "it was compiled anew");
    let found = again.find(module.digest(), options()).unwrap();
    assert_eq!(found.token, module.token());
    assert_eq!(call(&found.actor, "Ask", b"").await.unwrap(), "!hello");
    assert!(again.find(guest("other").digest(), options()).is_none());
}

#[tokio::test]
async fn another_limit_of_memory_is_other_code() {
    let (place, module) = (Place::new(), hello());
    let engine = engine(&place.path());
    answers(&engine, module, "hello").await;
    let options = ActorOptions { memory_bytes: options().memory_bytes / 2, ..options() };
    assert!(engine.find(module.digest(), options).is_none());
    engine.compile(module, options).unwrap();
    assert_eq!(place.files().len(), 2);
}

#[test]
fn a_module_that_is_refused_is_not_kept() {
    let place = Place::new();
    let engine = engine(&place.path());
    assert!(engine.compile(&signed("(module)"), options()).is_err());
    assert!(place.files().is_empty());
}

/// Changes the one file of a folder as told, and checks that its code is compiled anew and kept.
async fn is_replaced_after(how: &str, place: &Place, change: impl FnOnce(&mut Vec<u8>)) {
    let module = hello();
    answers(&engine(&place.path()), module, "hello").await;
    let path = place.only_file();
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    change(&mut changed);
    assert_ne!(changed, whole, "{how}");
    fs::write(&path, &changed).unwrap();
    let engine = engine(&place.path());
    assert!(engine.find(module.digest(), options()).is_none(), "{how}");
    assert!(!path.exists(), "{how}: what can't be used is removed");
    answers(&engine, module, "hello").await;
    assert!(engine.find(module.digest(), options()).is_some(), "{how}");
}

#[tokio::test]
async fn what_was_changed_or_cut_is_never_run() {
    let place = Place::new();
    let length = {
        answers(&engine(&place.path()), hello(), "hello").await;
        fs::metadata(place.only_file()).unwrap().len() as usize
    };
    let note = length - FOOTER_BYTES - guest("hello").token().len();
    let places = [
        ("the header", 0),
        ("the code", note / 2),
        ("the end of the code", note - 1),
        ("the claims", note + 10),
        ("the length of the code", length - FOOTER_BYTES),
        ("the length of the claims", length - FOOTER_BYTES + 8),
        ("whether it is initialised", length - 33),
        ("the tag", length - 32),
        ("the end of the tag", length - 1),
    ];
    for (how, at) in places {
        is_replaced_after(how, &place, |bytes| bytes[at] ^= 1).await;
    }
    for left in [0, 1, FOOTER_BYTES - 1, FOOTER_BYTES, length / 2, length - 1] {
        is_replaced_after(&format!("cut to {left}"), &place, |bytes| bytes.truncate(left)).await;
    }
    is_replaced_after("more at its end", &place, |bytes| bytes.push(0)).await;
    is_replaced_after("more at its beginning", &place, |bytes| bytes.insert(0, 0)).await;
}

#[tokio::test]
async fn code_under_the_name_of_other_code_is_not_run() {
    let (place, one, two) = (Place::new(), guest("one"), guest("two"));
    let engine = engine(&place.path());
    answers(&engine, &one, "one").await;
    let file = place.only_file();
    answers(&engine, &two, "two").await;
    let other = place.files().into_iter().find(|path| *path != file).unwrap();
    fs::copy(&file, &other).unwrap();
    assert!(engine.find(two.digest(), options()).is_none());
    answers(&engine, &two, "two").await;
    answers(&engine, &one, "one").await;
}

#[tokio::test]
async fn code_of_another_secret_is_not_run() {
    let (place, module) = (Place::new(), hello());
    answers(&engine(&place.path()), module, "hello").await;
    fs::write(place.secret(), [7; 64]).unwrap();
    let other = engine(&place.path());
    assert!(other.find(module.digest(), options()).is_none());
    answers(&other, module, "hello").await;
    assert!(other.find(module.digest(), options()).is_some());
}

#[tokio::test]
async fn a_folder_or_secret_that_others_may_use_is_not_used() {
    let module = hello();
    for (what, mode) in [("folder", 0o755), ("folder", 0o770), ("secret", 0o604)] {
        let place = Place::new();
        answers(&engine(&place.path()), module, "hello").await;
        let open = if what == "folder" { place.path() } else { place.secret() };
        let files = place.files();
        fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
        let engine = engine(&place.path());
        assert!(engine.find(module.digest(), options()).is_none(), "{what} {mode:o}");
        answers(&engine, &guest("other"), "other").await;
        assert_eq!(place.files(), files, "nothing was written there");
    }
}

#[tokio::test]
async fn a_secret_that_is_too_short_is_not_used() {
    let (place, module) = (Place::new(), hello());
    answers(&engine(&place.path()), module, "hello").await;
    fs::write(place.secret(), b"").unwrap();
    let engine = engine(&place.path());
    assert!(engine.find(module.digest(), options()).is_none());
    answers(&engine, module, "hello").await;
}

#[tokio::test]
async fn a_file_that_others_may_use_or_that_is_elsewhere_is_not_run() {
    let (place, module) = (Place::new(), hello());
    let engine = engine(&place.path());
    answers(&engine, module, "hello").await;
    let file = place.only_file();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert!(engine.find(module.digest(), options()).is_none());
    answers(&engine, module, "hello").await;
    let elsewhere = place.0.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(engine.find(module.digest(), options()).is_none());
    answers(&engine, module, "hello").await;
    assert!(engine.find(module.digest(), options()).is_some());
}

#[test]
fn what_the_node_makes_is_for_its_user_alone() {
    let place = Place::new();
    engine(&place.path()).compile(hello(), options()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&place.path()), 0o700);
    assert_eq!(mode(&place.secret()), 0o600);
    assert_eq!(mode(&place.only_file()), 0o600);
}

#[test]
fn a_folder_that_can_not_be_made_costs_nothing_but_time() {
    let place = Place::new();
    fs::write(place.0.path().join("cache"), b"a file").unwrap();
    assert!(engine(&place.path()).compile(hello(), options()).is_ok());
}

#[test]
fn several_engines_use_one_folder_at_once() {
    let place = Place::new();
    let modules: Vec<_> = (0..6).map(|number| guest(&format!("actor {number}"))).collect();
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let (place, modules) = (&place, &modules);
            scope.spawn(move || {
                let engine = engine(&place.path());
                for number in 0..modules.len() {
                    let module = &modules[(number + turn) % modules.len()];
                    engine.compile(module, options()).unwrap();
                    assert!(engine.find(module.digest(), options()).is_some());
                }
            });
        }
    });
    assert_eq!(place.files().len(), modules.len(), "each once, and nothing that is not whole");
}

#[tokio::test]
async fn code_that_goes_on_disk_goes_on_in_memory() {
    let (place, module) = (Place::new(), hello());
    let engine = engine(&place.path());
    let actor = engine.compile(module, options()).unwrap();
    fs::remove_dir_all(place.path()).unwrap();
    assert_eq!(call(&actor, "Ask", b"").await.unwrap(), "!hello");
    // Nothing can be kept any more, and modules are compiled all the same.
    answers(&engine, &guest("other"), "other").await;
}

/// Prints what a hit costs beside a compilation; shown with `--nocapture`.
#[test]
fn a_hit_costs_less_than_a_compilation() {
    let place = Place::new();
    let functions: String = (0..600)
        .map(|n| format!("(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {n})))"))
        .collect();
    let module = signed(&guest_of("wapc", &functions, "(i32.const 0)"));
    let timed = |engine: Engine| {
        let begun = Instant::now();
        engine.compile(&module, options()).unwrap();
        begun.elapsed()
    };
    let compiled = timed(engine(&place.path()));
    let found = timed(engine(&place.path()));
    println!("compiled and kept in {compiled:?}, found in {found:?}");
    assert!(found < compiled);
}
