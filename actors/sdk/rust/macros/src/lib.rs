//! The attributes of `mesh-actor`; that crate re-exports them and explains them.

mod actor;

use proc_macro::TokenStream;

/// Makes an `impl` block an actor: each method marked `#[operation]` can be called by its name.
///
/// An operation takes one payload or none, no `self` (an actor keeps nothing between calls), and
/// returns a `Result` whose error can be displayed. `#[operation]` answers to the method's name,
/// `#[operation("Another.Name")]` to that one. Other items of the block stay as they are.
#[proc_macro_attribute]
pub fn actor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Marks an operation within an `impl` block that is marked `#[actor]`.
#[proc_macro_attribute]
pub fn operation(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item: proc_macro2::TokenStream = item.into();
    let error = syn::Error::new_spanned(
        &item,
        "#[operation] belongs on a method of an `impl` block that is marked #[actor]",
    )
    .into_compile_error();
    quote::quote!(#error #item).into()
}
