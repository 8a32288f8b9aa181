//! Real files through the actor, as the host calls it.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail by a panic")]

use mesh_actor::prelude::*;
use thumbnail::{Thumbnail, ThumbnailRequest, ThumbnailResponse};

const PHOTO: &[u8] = include_bytes!("../samples/harbour.jpg");
const LOGO: &[u8] = include_bytes!("../samples/badge.png");

fn thumbnail(image: &[u8], width: u32, height: u32) -> Result<ThumbnailResponse> {
    let request = ThumbnailRequest { image: ByteBuf::from(image), width, height };
    let payload = request.into_payload()?;
    ThumbnailResponse::from_payload(Thumbnail::handle("thumbnail", payload)?)
}

/// A PNG that is right up to the end of its header, which claims a size.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut file = LOGO.to_vec();
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&sum.to_be_bytes());
    file
}

/// The check sum of a PNG's chunk (ISO 3309, as RFC 2083 section 3.4 has it).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

#[test]
fn a_jpeg_becomes_a_small_png() {
    let reply = thumbnail(PHOTO, 320, 240).expect("a thumbnail");
    assert_eq!((reply.width, reply.height, reply.source.as_str()), (320, 213, "jpeg"));
    assert_eq!(reply.format, "png");
    let picture = image::load_from_memory_with_format(&reply.image, image::ImageFormat::Png);
    let picture = picture.expect("a PNG").to_rgb8();
    assert_eq!(picture.dimensions(), (320, 213));
    // The picture itself: a sky that is bluer than red above, and more than one colour.
    let [red, _, blue] = picture.get_pixel(20, 5).0;
    assert!(blue > red, "the sky is {:?}", picture.get_pixel(20, 5));
    assert_ne!(picture.get_pixel(20, 5), picture.get_pixel(20, 200));
}

#[test]
fn a_png_keeps_its_transparency() {
    let reply = thumbnail(LOGO, 64, 64).expect("a thumbnail");
    assert_eq!((reply.width, reply.height, reply.source.as_str()), (64, 64, "png"));
    let picture = image::load_from_memory(&reply.image).expect("a PNG").to_rgba8();
    assert_eq!(picture.get_pixel(0, 0).0[3], 0, "the corner is clear");
    assert_eq!(picture.get_pixel(32, 32).0[3], 255, "the middle is not");
}

#[test]
fn a_picture_that_fits_is_not_enlarged() {
    let reply = thumbnail(LOGO, 4_000, 4_000).expect("a thumbnail");
    assert_eq!((reply.width, reply.height), (512, 512));
}

#[test]
fn an_oversize_picture_is_refused_by_its_header() {
    for (width, height) in [(16_385, 1), (16_000, 16_000), (u32::MAX >> 1, u32::MAX >> 1)] {
        let error = thumbnail(&claiming(width, height), 100, 100).expect_err("too large");
        let text = error.to_string();
        assert!(text.contains("the most is") || text.contains("can't be read"), "{text}");
    }
    let error = thumbnail(&claiming(4_000, 4_000), 100, 100).expect_err("too large").to_string();
    assert!(error.starts_with("the image is 4000x4000 pixels, 64000000 bytes"), "{error}");
}

#[test]
fn what_is_no_picture_is_refused() {
    let cases: [(&[u8], u32, &str); 6] = [
        (b"", 100, "neither a JPEG nor a PNG"),
        (b"GIF89a and so on", 100, "neither a JPEG nor a PNG"),
        (&LOGO[..LOGO.len() / 2], 100, "can't be read"),
        (&PHOTO[..100], 100, "can't be read"),
        (LOGO, 0, "must be from 1 to 16384"),
        (LOGO, 16_385, "must be from 1 to 16384"),
    ];
    for (image, width, told) in cases {
        let error = thumbnail(image, width, 100).expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
    }
}
