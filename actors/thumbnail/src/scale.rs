//! Decode, scale, encode.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType as RowFilter, PngEncoder};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

/// Longest side of a picture, and of a box for a thumbnail.
pub const SIDE_PIXELS_MAX: u32 = 16_384;

/// Size of a decoded picture (5.5 megapixels of RGB). A progressive JPEG takes three times as much
/// while it is decoded, and that still fits into the memory that an actor has by default.
pub const DECODED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// The bytes are of neither format.
    #[error("the image is neither a JPEG nor a PNG")]
    Format,
    /// The picture is too large to be decoded.
    #[error(
        "the image is {width}x{height} pixels, {bytes} bytes when decoded: the most is \
         {SIDE_PIXELS_MAX} pixels a side and {DECODED_BYTES_MAX} bytes"
    )]
    TooLarge {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// What it would take in memory.
        bytes: u64,
    },
    /// The box is empty or too large.
    #[error(
        "a thumbnail of {width}x{height} pixels: each side must be from 1 to {SIDE_PIXELS_MAX}"
    )]
    Box {
        /// The width that was asked for.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// The file is damaged, or of a kind that is not supported.
    #[error("the image can't be read: {0}")]
    Damaged(#[from] ImageError),
}

/// Decodes a JPEG or PNG, upright, and returns it with the name of its format. Its size is checked
/// before memory is taken for its pixels.
///
/// # Errors
/// [`ScaleError::Format`], [`ScaleError::TooLarge`] or [`ScaleError::Damaged`].
pub fn decode(file: &[u8]) -> Result<(DynamicImage, &'static str), ScaleError> {
    let name = match image::guess_format(file) {
        Ok(ImageFormat::Jpeg) => "jpeg",
        Ok(ImageFormat::Png) => "png",
        _ => return Err(ScaleError::Format),
    };
    let mut decoder = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(ImageError::IoError)?
        .into_decoder()?;
    let ((width, height), bytes) = (decoder.dimensions(), decoder.total_bytes());
    if width.max(height) > SIDE_PIXELS_MAX || bytes > DECODED_BYTES_MAX {
        return Err(ScaleError::TooLarge { width, height, bytes });
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok((picture, name))
}

/// Scales a picture into a box, keeping its shape; a picture that fits stays as it is.
///
/// # Errors
/// [`ScaleError::Box`] when the box has no or too many pixels.
pub fn fit(picture: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, ScaleError> {
    if !(1..=SIDE_PIXELS_MAX).contains(&width) || !(1..=SIDE_PIXELS_MAX).contains(&height) {
        return Err(ScaleError::Box { width, height });
    }
    let (from_width, from_height) = (picture.width(), picture.height());
    let (width, height) = inner_size((from_width, from_height), (width, height));
    if (width, height) == (from_width, from_height) {
        return Ok(picture.clone());
    }
    // Averaging down to twice the size first costs a pass over the source instead of a wide
    // filter's many, and the filter after it hides the difference.
    let halfway = (width.saturating_mul(2), height.saturating_mul(2));
    Ok(if from_width > halfway.0 && from_height > halfway.1 {
        picture.thumbnail_exact(halfway.0, halfway.1).resize_exact(
            width,
            height,
            FilterType::Lanczos3,
        )
    } else {
        picture.resize_exact(width, height, FilterType::Lanczos3)
    })
}

/// Returns the largest size in the shape of `picture` that fits into `bounds` and does not enlarge.
fn inner_size(picture: (u32, u32), bounds: (u32, u32)) -> (u32, u32) {
    let (width, height) = (u64::from(picture.0.max(1)), u64::from(picture.1.max(1)));
    let (most_width, most_height) = (u64::from(bounds.0), u64::from(bounds.1));
    if width <= most_width && height <= most_height {
        return picture;
    }
    let side =
        |exact: u64, divisor: u64, most: u64| ((exact + divisor / 2) / divisor).clamp(1, most);
    let (width, height) = if width * most_height > height * most_width {
        (most_width, side(height * most_width, width, most_height))
    } else {
        (side(width * most_height, height, most_width), most_height)
    };
    // Both are at most a bound, and those are 32 bits.
    (u32::try_from(width).unwrap_or(bounds.0), u32::try_from(height).unwrap_or(bounds.1))
}

/// Encodes a picture as a PNG of 8 bits a channel.
///
/// # Errors
/// [`ScaleError::Damaged`] when the encoder refuses it.
pub fn encode(picture: &DynamicImage) -> Result<Vec<u8>, ScaleError> {
    let mut file = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, RowFilter::Adaptive);
    let picture = match picture.color().has_alpha() {
        true => DynamicImage::ImageRgba8(picture.to_rgba8()),
        false => DynamicImage::ImageRgb8(picture.to_rgb8()),
    };
    picture.write_with_encoder(encoder)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_kept_and_nothing_is_enlarged() {
        let cases = [
            ((1600, 1067), (320, 240), (320, 213)),
            ((1067, 1600), (320, 240), (160, 240)),
            ((100, 50), (320, 240), (100, 50)),
            ((10_000, 1), (100, 100), (100, 1)),
            ((16_384, 16_384), (1, 16_384), (1, 1)),
        ];
        for (picture, bounds, expected) in cases {
            assert_eq!(inner_size(picture, bounds), expected, "{picture:?} into {bounds:?}");
        }
    }

    #[test]
    fn both_ways_of_scaling_agree_with_a_single_wide_filter() {
        let (photo, _) = decode(include_bytes!("../samples/harbour.jpg")).expect("decodes");
        let ours = fit(&photo, 200, 200).expect("fits").to_rgb8();
        let wide = photo.resize_exact(ours.width(), ours.height(), FilterType::Lanczos3).to_rgb8();
        let differences = ours.iter().zip(wide.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / ours.len() as f64;
        assert!(mean < 3.0, "the mean difference is {mean}");
    }
}
