use std::os::unix::fs::PermissionsExt;

use super::*;

fn store() -> (tempfile::TempDir, KeyStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::at(folder.path().join("mesh").join("keys"));
    (folder, store)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_once_and_read_ever_after() {
    let (_folder, store) = store();
    assert!(store.load(SeedKind::Issuer, DEFAULT_NAME).unwrap().is_none());
    let made = store.load_or_create(SeedKind::Issuer, DEFAULT_NAME).unwrap();
    let read = store.load_or_create(SeedKind::Issuer, DEFAULT_NAME).unwrap();
    assert!(made.created && !read.created);
    assert_eq!(made.public_key(), read.public_key());
    assert!(made.public_key().starts_with('A'));
    assert_eq!(made.path, store.root().join("issuers/default.nk"));
    let again = store.create(SeedKind::Issuer, DEFAULT_NAME).unwrap_err();
    assert!(matches!(again, KeyStoreError::Exists { .. }), "{again}");
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let (_folder, store) = store();
    let key = store.create(SeedKind::Actor, "echo").unwrap();
    store.revisions(&"echo".parse().unwrap()).unwrap().remember(1).unwrap();
    assert_eq!(mode(store.root()), 0o700);
    assert_eq!(mode(&store.root().join("modules")), 0o700);
    assert_eq!(mode(&key.path), 0o600);
    assert_eq!(mode(&store.root().join("modules/echo.rev")), 0o600);
    assert!(!store.load(SeedKind::Actor, "echo").unwrap().unwrap().exposed);
    std::fs::set_permissions(&key.path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(store.load(SeedKind::Actor, "echo").unwrap().unwrap().exposed);
}

#[test]
fn programs_that_start_together_agree_on_one_key() {
    let (_folder, store) = store();
    let keys: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| store.load_or_create(SeedKind::Issuer, "x").unwrap().public_key())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let left = std::fs::read_dir(store.root().join("issuers")).unwrap().count();
    assert_eq!(left, 1, "no draft stays behind");
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let (_folder, store) = store();
    for name in ["", "../x", "a/b", "a\\b", "a\0b", "é"] {
        let error = store.load_or_create(SeedKind::Issuer, name).unwrap_err();
        assert!(matches!(error, KeyStoreError::Name(_)), "{name:?}: {error}");
    }
    // Odd, but inside: the extension makes a file of it.
    assert_eq!(
        store.create(SeedKind::Issuer, "..").unwrap().path,
        store.root().join("issuers").join("...nk")
    );
}

#[test]
fn a_seed_of_another_kind_or_none_is_refused_with_its_file() {
    let (folder, store) = store();
    let actor = store.create(SeedKind::Actor, "echo").unwrap();
    let error = read_key(&actor.path, Some(SeedKind::Issuer)).unwrap_err().to_string();
    assert!(error.ends_with("echo.nk holds the key of an actor, not that of an issuer"), "{error}");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "no seed").unwrap();
    let error = read_key(&file, None).unwrap_err();
    assert!(matches!(error, KeyStoreError::NotASeed { .. }), "{error}");
    // A public key instead of the seed is the likely mistake.
    std::fs::write(&file, actor.public_key()).unwrap();
    assert!(matches!(read_key(&file, None), Err(KeyStoreError::NotASeed { .. })));
}

#[test]
fn a_list_has_every_key_and_what_is_wrong_in_its_place() {
    let (_folder, store) = store();
    assert!(store.list().unwrap().is_empty());
    store.create(SeedKind::Actor, "echo").unwrap();
    store.create(SeedKind::Issuer, "default").unwrap();
    std::fs::write(store.root().join("modules/broken.nk"), "?").unwrap();
    let found: Vec<_> = store
        .list()
        .unwrap()
        .into_iter()
        .map(|key| key.map(|key| (key.kind, key.name)).map_err(|_| ()))
        .collect();
    let key = |kind, name: &str| Ok((kind, name.to_owned()));
    let wanted = [key(SeedKind::Issuer, "default"), Err(()), key(SeedKind::Actor, "echo")];
    assert_eq!(found, wanted);
}

#[test]
fn revisions_only_grow() {
    let (_folder, store) = store();
    let name: ActorName = "echo".parse().unwrap();
    assert_eq!(store.last_revision("echo"), None);
    let mut revisions = store.revisions(&name).unwrap();
    assert_eq!(revisions.last(), None);
    revisions.remember(10).unwrap();
    revisions.remember(3).unwrap();
    drop(revisions);
    assert_eq!(store.revisions(&name).unwrap().last(), Some(10));
    assert_eq!(store.last_revision("echo"), Some(10));
    store.revisions(&name).unwrap().remember(11).unwrap();
    assert_eq!(std::fs::read_to_string(store.root().join("modules/echo.rev")).unwrap(), "11\n");
    std::fs::write(store.root().join("modules/echo.rev"), "eleven").unwrap();
    assert!(matches!(store.revisions(&name), Err(KeyStoreError::NotARevision { .. })));
}

#[test]
fn two_that_sign_together_get_two_revisions() {
    let (_folder, store) = store();
    let name: ActorName = "echo".parse().unwrap();
    let mut taken: Vec<u64> = std::thread::scope(|scope| {
        let take = || {
            let mut revisions = store.revisions(&name).unwrap();
            let next = revisions.last().map_or(1, |last| last + 1);
            revisions.remember(next).unwrap();
            next
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    taken.sort();
    assert_eq!(taken, (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_seed_is_never_shown() {
    let (_folder, store) = store();
    let key = store.create(SeedKind::Issuer, "default").unwrap();
    let seed = key.pair.seed().unwrap();
    assert!(!format!("{key:?}").contains(&seed));
}
