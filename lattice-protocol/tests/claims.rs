//! Signing and verifying, against the `wascap` crate and against each way to forge a module.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// A test may stop at the first thing that is not as it should be.

use data_encoding::{BASE64URL_NOPAD, HEXUPPER};
use lattice_protocol::claims::{ClaimsError, SignRequest, VerifiedModule, inspect, sign, verify};
use lattice_protocol::keys::{Actor, Issuer, Key, KeyError};
use lattice_protocol::limits;
use lattice_protocol::names::Digest;
use nkeys::KeyPair;
use serde_json::{Value, json};
use sha2::Digest as _;

const NOW_S: u64 = 1_800_000_000;
const HEADER: &[u8] = b"\0asm\x01\0\0\0";

fn module() -> Vec<u8> {
    wat::parse_str(
        r#"(module (memory (export "memory") 1) (func (export "f") (result i32) i32.const 7))"#,
    )
    .unwrap()
}

fn request<'a>(issuer: &'a KeyPair, module: &'a KeyPair) -> SignRequest<'a> {
    SignRequest {
        issuer,
        module,
        name: "echo",
        capabilities: vec!["mesh:keyvalue".into()],
        tags: vec!["demo".into()],
        revision: Some(3),
        version: Some("1.2.3".into()),
        now_s: NOW_S,
        expires_s: None,
        not_before_s: None,
    }
}

fn pairs() -> (KeyPair, KeyPair) {
    (Key::<Issuer>::generate().unwrap().1, Key::<Actor>::generate().unwrap().1)
}

fn custom(name: &str, data: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    let custom = wasm_encoder::CustomSection { name: name.into(), data: data.into() };
    wasm_encoder::Section::append_to(&custom, &mut section);
    section
}

fn sha(bytes: &[u8]) -> String {
    HEXUPPER.encode(&sha2::Sha256::digest(bytes))
}

/// Makes a token of any claims, as another tool would.
fn token(issuer: &KeyPair, claims: &Value) -> String {
    token_with_header(issuer, &json!({"typ": "jwt", "alg": "Ed25519"}), claims)
}

fn token_with_header(issuer: &KeyPair, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = BASE64URL_NOPAD.encode(&issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn claims_of(issuer: &KeyPair, actor: &KeyPair, hash: &str) -> Value {
    json!({
        "jti": "x", "iat": NOW_S, "iss": issuer.public_key(), "sub": actor.public_key(),
        "wascap_revision": 3, "wascap": {"name": "echo", "hash": hash, "prov": false},
    })
}

/// Verifies a module whose claims are those of [`claims_of`] after `change`.
fn verify_changed(change: impl Fn(&mut Value)) -> Result<VerifiedModule, ClaimsError> {
    let (issuer, actor) = pairs();
    let mut wasm = module();
    let mut claims = claims_of(&issuer, &actor, &sha(&wasm));
    change(&mut claims);
    wasm.extend(custom("wasmcloud_jwt", token(&issuer, &claims).as_bytes()));
    verify(&wasm, NOW_S)
}

#[test]
fn what_is_signed_here_verifies_here() {
    let (issuer, actor) = pairs();
    let signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    let verified = verify(&signed, NOW_S).unwrap();
    assert_eq!(verified.actor().as_str(), actor.public_key());
    assert_eq!(verified.issuer().as_str(), issuer.public_key());
    assert_eq!(verified.name(), "echo");
    assert_eq!(verified.revision(), 3);
    assert_eq!(verified.capabilities(), ["mesh:keyvalue"]);
    assert_eq!(verified.digest(), &Digest::of(&signed));
    assert_eq!(verified.bytes().as_ref(), signed);
    assert_eq!(verified.claims(), &inspect(&signed).unwrap());
}

#[test]
fn what_is_signed_here_verifies_with_wascap() {
    let (issuer, actor) = pairs();
    let signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    let token = wascap::wasm::extract_claims(&signed).unwrap().expect("a token");
    let validation = wascap::jwt::validate_token::<wascap::jwt::Component>(&token.jwt).unwrap();
    assert!(validation.signature_valid && !validation.expired);
    assert_eq!(token.claims.subject, actor.public_key());
    assert_eq!(token.claims.issuer, issuer.public_key());
    let about = token.claims.metadata.unwrap();
    assert_eq!(about.name.as_deref(), Some("echo"));
    assert_eq!(about.rev, Some(3));
    assert_eq!(about.ver.as_deref(), Some("1.2.3"));
}

#[test]
fn what_wascap_signed_verifies_here() {
    let (issuer, actor) = pairs();
    for revision in 0..50 {
        let signed = wascap::wasm::sign_buffer_with_claims(
            "echo".into(),
            module(),
            &actor,
            &issuer,
            Some(30),
            Some(0),
            vec!["demo".into()],
            false,
            Some(revision),
            Some("1.2.3".into()),
            Some("alias".into()),
        )
        .unwrap();
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let verified = verify(&signed, now_s).unwrap();
        assert_eq!(verified.revision(), u64::try_from(revision).unwrap());
        assert_eq!(verified.claims().wascap.call_alias.as_deref(), Some("alias"));
        assert!(matches!(verify(&signed, now_s + 31 * 86_400), Err(ClaimsError::Expired { .. })));
    }
}

#[test]
fn signing_again_replaces_the_claims() {
    let (issuer, actor) = pairs();
    let once = sign(&module(), &request(&issuer, &actor)).unwrap();
    let again = SignRequest { revision: Some(4), ..request(&issuer, &actor) };
    let twice = sign(&once, &again).unwrap();
    assert_eq!(verify(&twice, NOW_S).unwrap().revision(), 4);
    assert_eq!(twice, sign(&module(), &again).unwrap());

    let mut legacy = module();
    legacy.extend(custom("jwt", b"an old token"));
    assert_eq!(sign(&legacy, &again).unwrap(), twice);
}

#[test]
fn signing_is_repeatable_and_its_identity_follows_what_it_says() {
    let (issuer, actor) = pairs();
    let first = sign(&module(), &request(&issuer, &actor)).unwrap();
    assert_eq!(first, sign(&module(), &request(&issuer, &actor)).unwrap());
    let other = SignRequest { name: "other", ..request(&issuer, &actor) };
    let second = sign(&module(), &other).unwrap();
    assert_ne!(inspect(&first).unwrap().jti, inspect(&second).unwrap().jti);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (issuer, actor) = pairs();
    let signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    for at in 0..signed.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut changed = signed.clone();
            changed[at] ^= flip;
            let result = verify(&changed, NOW_S);
            assert!(result.is_err(), "byte {at} changed by {flip:#x}: {result:?}");
        }
    }
    for length in 0..signed.len() {
        assert!(verify(&signed[..length], NOW_S).is_err(), "cut to {length}");
    }
}

#[test]
fn a_section_added_after_signing_is_noticed() {
    let (issuer, actor) = pairs();
    let mut signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    signed.extend(custom("name", b""));
    assert!(matches!(verify(&signed, NOW_S), Err(ClaimsError::HashMismatch { .. })));
}

/// Rewrites each section's length as five bytes, as some compilers leave it.
fn with_padded_lengths(wasm: &[u8]) -> Vec<u8> {
    let mut padded = HEADER.to_vec();
    let mut reader = wasmparser::BinaryReader::new(&wasm[8..], 8);
    while !reader.eof() {
        padded.push(reader.read_u8().unwrap());
        let length = reader.read_var_u32().unwrap();
        for shift in 0..4 {
            padded.push(((length >> (7 * shift)) & 0x7f) as u8 | 0x80);
        }
        padded.push((length >> 28) as u8);
        padded.extend_from_slice(reader.read_bytes(length as usize).unwrap());
    }
    padded
}

#[test]
fn either_hash_of_a_module_with_padded_lengths_is_accepted() {
    let (issuer, actor) = pairs();
    let padded = with_padded_lengths(&module());
    assert_ne!(padded, module());
    for hash in [sha(&padded), sha(&module())] {
        let token = token(&issuer, &claims_of(&issuer, &actor, &hash));
        for section in ["wasmcloud_jwt", "jwt"] {
            let mut wasm = padded.clone();
            wasm.extend(custom(section, token.as_bytes()));
            verify(&wasm, NOW_S).unwrap();
        }
    }
    let signed = sign(&padded, &request(&issuer, &actor)).unwrap();
    verify(&signed, NOW_S).unwrap();
    assert!(wascap::wasm::extract_claims(&signed).unwrap().is_some());
}

#[test]
fn an_old_format_revision_does_not_switch_the_hash_off() {
    for revision in [json!(1), json!(null)] {
        let result = verify_changed(|claims| {
            claims["wascap_revision"] = revision.clone();
            claims["wascap"]["hash"] = json!(sha(b"another module"));
        });
        assert!(matches!(result, Err(ClaimsError::HashMismatch { .. })), "{result:?}");
    }
}

#[test]
fn unknown_claims_are_ignored() {
    let verified = verify_changed(|claims| {
        claims["new"] = json!({"a": [1, 2]});
        claims["wascap"]["newer"] = json!(true);
    });
    verified.unwrap();
}

#[test]
fn keys_of_the_wrong_kind_are_refused() {
    let (issuer, actor) = pairs();
    let user = KeyPair::new_user();
    for (claim, key) in [
        ("sub", issuer.public_key()),
        ("sub", KeyPair::new_service().public_key()),
        ("iss", actor.public_key()),
    ] {
        let result = verify_changed(|claims| claims[claim] = json!(key));
        let wrong =
            matches!(result, Err(ClaimsError::Key { cause: KeyError::WrongKind { .. }, .. }));
        assert!(wrong, "{claim}: {result:?}");
    }
    for result in
        [sign(&module(), &request(&user, &actor)), sign(&module(), &request(&issuer, &issuer))]
    {
        assert!(matches!(result, Err(ClaimsError::Key { .. })), "{result:?}");
    }
    let seedless = KeyPair::from_public_key(&issuer.public_key()).unwrap();
    let result = sign(&module(), &request(&seedless, &actor));
    assert!(matches!(result, Err(ClaimsError::Signing(_))), "{result:?}");
}

#[test]
fn another_issuers_signature_is_refused() {
    let other = Key::<Issuer>::generate().unwrap().0;
    let result = verify_changed(|claims| claims["iss"] = json!(other.as_str()));
    assert_eq!(result.unwrap_err(), ClaimsError::BadSignature { issuer: other.to_string() });
}

/// The key of small order whose encoding is 1: with R = 1 and s = 0 nkeys accepts any message.
#[test]
fn a_signature_that_fits_every_message_is_refused() {
    let mut identity = [0u8; 32];
    identity[0] = 1;
    let mut raw = vec![0u8];
    raw.extend(identity);
    let crc = raw.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    raw.extend(crc.to_le_bytes());
    let weak = data_encoding::BASE32_NOPAD.encode(&raw);
    let mut signature = [0u8; 64];
    signature[0] = 1;
    assert!(KeyPair::from_public_key(&weak).unwrap().verify(b"anything", &signature).is_ok());

    let (issuer, actor) = pairs();
    let mut claims = claims_of(&issuer, &actor, &sha(&module()));
    claims["iss"] = json!(weak);
    let honest = token(&issuer, &claims);
    let (signed, _) = honest.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature));
    let mut wasm = module();
    wasm.extend(custom("wasmcloud_jwt", forged.as_bytes()));
    assert!(matches!(verify(&wasm, NOW_S), Err(ClaimsError::BadSignature { .. })));
}

#[test]
fn the_period_of_validity_is_kept_to_the_second() {
    let (issuer, actor) = pairs();
    let request = SignRequest {
        not_before_s: Some(NOW_S),
        expires_s: Some(NOW_S + 10),
        ..request(&issuer, &actor)
    };
    let signed = sign(&module(), &request).unwrap();
    let early = verify(&signed, NOW_S - 1).unwrap_err();
    assert_eq!(early, ClaimsError::NotYetValid { at_s: NOW_S });
    assert!(verify(&signed, NOW_S).is_ok() && verify(&signed, NOW_S + 9).is_ok());
    let late = verify(&signed, NOW_S + 10).unwrap_err();
    assert_eq!(late, ClaimsError::Expired { at_s: NOW_S + 10 });
}

#[test]
fn claims_that_nobody_should_sign_are_refused_on_both_sides() {
    let (issuer, actor) = pairs();
    let many: Vec<String> = (0..=limits::CAPABILITIES_MAX).map(|n| format!("mesh:{n}")).collect();
    for (change, request) in [
        (json!({"rev": -1}), SignRequest { revision: Some(-1), ..request(&issuer, &actor) }),
        (json!({"caps": many}), SignRequest { capabilities: many, ..request(&issuer, &actor) }),
        (
            json!({"name": "a\u{1b}[2J"}),
            SignRequest { name: "a\u{1b}[2J", ..request(&issuer, &actor) },
        ),
    ] {
        let there = verify_changed(|claims| {
            for (field, value) in change.as_object().unwrap() {
                claims["wascap"][field] = value.clone();
            }
        });
        assert!(matches!(there, Err(ClaimsError::Malformed(_))), "{there:?}");
        let here = sign(&module(), &request);
        assert!(matches!(here, Err(ClaimsError::Malformed(_))), "{here:?}");
    }
}

#[test]
fn a_missing_or_doubled_token_is_refused() {
    assert_eq!(verify(&module(), NOW_S).unwrap_err(), ClaimsError::Unsigned);
    assert_eq!(inspect(&module()).unwrap_err(), ClaimsError::Unsigned);
    let (issuer, actor) = pairs();
    let mut signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    signed.extend(custom("jwt", b"x"));
    assert_eq!(verify(&signed, NOW_S).unwrap_err(), ClaimsError::SignedTwice(2));
}

#[test]
fn malformed_tokens_are_refused() {
    let (issuer, actor) = pairs();
    let claims = claims_of(&issuer, &actor, &sha(&module()));
    let good = token(&issuer, &claims);
    let mut tokens: Vec<Vec<u8>> = [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        &good[..good.len() - 1],
        &format!("{good}="),
        &format!("{good}."),
        &format!(" {good}"),
        &format!("{good}\n"),
    ]
    .iter()
    .map(|token| token.as_bytes().to_vec())
    .collect();
    tokens.push(vec![0xff, 0xfe]);
    for header in [
        json!({"typ": "jwt", "alg": "none"}),
        json!({"typ": "jwt", "alg": "HS256"}),
        json!({"typ": "JWT", "alg": "Ed25519"}),
        json!({"alg": "Ed25519"}),
        json!([]),
    ] {
        tokens.push(token_with_header(&issuer, &header, &claims).into_bytes());
    }
    for (field, value) in [("exp", json!(-1)), ("iat", json!("now")), ("wascap", json!(null))] {
        let mut claims = claims.clone();
        claims[field] = value;
        tokens.push(token(&issuer, &claims).into_bytes());
    }
    for token in tokens {
        let mut wasm = module();
        wasm.extend(custom("wasmcloud_jwt", &token));
        let result = verify(&wasm, NOW_S);
        let shown = String::from_utf8_lossy(&token);
        assert!(matches!(result, Err(ClaimsError::Malformed(_))), "{shown}: {result:?}");
    }
}

#[test]
fn a_token_inside_a_section_does_not_count() {
    let (issuer, actor) = pairs();
    let signed = sign(&module(), &request(&issuer, &actor)).unwrap();
    let mut wasm = module();
    wasm.extend(custom("inner", &signed));
    assert_eq!(verify(&wasm, NOW_S).unwrap_err(), ClaimsError::Unsigned);
}

#[test]
fn what_is_no_module_is_refused_by_name() {
    let component = wat::parse_str("(component (core module))").unwrap();
    let (issuer, actor) = pairs();
    let refused = sign(&component, &request(&issuer, &actor)).unwrap_err();
    assert!(refused.to_string().contains("components are not modules"), "{refused}");
    assert_eq!(verify(&component, NOW_S).unwrap_err(), refused);

    let mut long_length = HEADER.to_vec();
    long_length.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let mut long_name = HEADER.to_vec();
    long_name.extend([0, 2, 0xff, 0x7f]);
    for bytes in [&b""[..], b"\0asm", b"hello, world", b"\0asm\x02\0\0\0", &long_length, &long_name]
    {
        let result = verify(bytes, NOW_S);
        assert!(matches!(result, Err(ClaimsError::NotAModule(_))), "{bytes:?}: {result:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let mut wasm = module();
    wasm.extend(custom("wasmcloud_jwt", &vec![b'a'; limits::CLAIMS_BYTES_MAX + 1]));
    let limit = limits::CLAIMS_BYTES_MAX;
    let result = verify(&wasm, NOW_S).unwrap_err();
    assert_eq!(result, ClaimsError::TooLarge { what: "the claims", found: limit + 1, limit });

    let (issuer, actor) = pairs();
    let tags = vec!["a".repeat(limits::CLAIMS_BYTES_MAX)];
    let result = sign(&module(), &SignRequest { tags, ..request(&issuer, &actor) });
    assert!(matches!(result, Err(ClaimsError::TooLarge { what: "the claims", .. })));

    let limit = limits::MODULE_BYTES_MAX;
    let mut large = module();
    let room = limit - large.len() - 32;
    large.extend(custom("data", &vec![0; room]));
    assert!(large.len() <= limit);
    let result = sign(&large, &request(&issuer, &actor));
    assert!(matches!(result, Err(ClaimsError::TooLarge { what: "the signed module", .. })));
    large.resize(limit + 1, 0);
    let result = verify(&large, NOW_S).unwrap_err();
    assert_eq!(result, ClaimsError::TooLarge { what: "a module", found: limit + 1, limit });
}
