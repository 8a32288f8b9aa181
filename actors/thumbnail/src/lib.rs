//! Scales a JPEG or PNG down to a PNG.

mod scale;

use mesh_actor::prelude::*;

pub use scale::{DECODED_BYTES_MAX, SIDE_PIXELS_MAX};

/// A picture, and the box that its thumbnail must fit into.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThumbnailRequest {
    /// A whole JPEG or PNG file.
    pub image: ByteBuf,
    /// Width of the box in pixels, at most [`SIDE_PIXELS_MAX`].
    pub width: u32,
    /// Height of the box in pixels, at most [`SIDE_PIXELS_MAX`].
    pub height: u32,
}

/// The thumbnail: in the shape of the picture, never larger than it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThumbnailResponse {
    /// A whole PNG file.
    pub image: ByteBuf,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Its format: always `png`.
    pub format: String,
    /// The format of the picture that came: `jpeg` or `png`.
    pub source: String,
}

/// The actor.
pub struct Thumbnail;

#[actor]
impl Thumbnail {
    /// Returns the picture as a PNG that fits into the box.
    #[operation]
    fn thumbnail(request: ThumbnailRequest) -> Result<ThumbnailResponse> {
        let (picture, source) = scale::decode(&request.image).map_err(Error::actor)?;
        let picture = scale::fit(&picture, request.width, request.height).map_err(Error::actor)?;
        Ok(ThumbnailResponse {
            image: ByteBuf::from(scale::encode(&picture).map_err(Error::actor)?),
            width: picture.width(),
            height: picture.height(),
            format: "png".to_owned(),
            source: source.to_owned(),
        })
    }
}
