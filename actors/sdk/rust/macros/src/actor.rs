//! What `#[actor]` reads and writes, as functions over tokens that tests can call.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, LitStr, Meta, Result};
use syn::{ReturnType, Type};

/// A method that can be called from outside.
struct Operation {
    name: LitStr,
    /// Its `#[cfg(…)]`s: what is not compiled is no operation.
    conditions: Vec<Attribute>,
    method: Ident,
    payload: Option<Type>,
    output: Type,
}

/// Expands `#[actor] impl Type { … }`.
///
/// # Errors
/// When the block or one of its operations can't be an actor's; the error points at the place.
pub fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "#[actor] takes no arguments"));
    }
    let mut block: ItemImpl = syn::parse2(item).map_err(|error| {
        Error::new(error.span(), "#[actor] belongs on an `impl` block: `impl Echo { … }`")
    })?;
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new_spanned(
            path,
            "#[actor] belongs on an `impl` block without a trait",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(&block.generics, "an actor has no type parameters"));
    }
    let operations = take_operations(&mut block)?;
    let actor = &block.self_ty;
    let names =
        operations.iter().map(|Operation { name, conditions, .. }| quote!(#(#conditions)* #name));
    let arms = operations.iter().map(arm);
    let exports = exports(actor);
    Ok(quote! {
        #block

        impl ::mesh_actor::Actor for #actor {
            const OPERATIONS: &'static [&'static str] = &[#(#names),*];

            fn handle(
                operation: &str,
                payload: ::std::vec::Vec<u8>,
            ) -> ::std::result::Result<::std::vec::Vec<u8>, ::mesh_actor::Error> {
                match operation {
                    #(#arms)*
                    _ => ::std::result::Result::Err(
                        ::mesh_actor::Error::unknown_operation::<Self>(operation),
                    ),
                }
            }
        }

        #exports
    })
}

/// Takes the marks off the block and returns what they marked.
fn take_operations(block: &mut ItemImpl) -> Result<Vec<Operation>> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut errors: Option<Error> = None;
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let marks: Vec<Attribute> =
            method.attrs.extract_if(.., |attribute| is_operation(attribute)).collect();
        let Some(mark) = marks.first() else { continue };
        // A payload is the operation's own, whether or not it takes it apart.
        method.attrs.push(syn::parse_quote!(#[allow(clippy::needless_pass_by_value)]));
        let found = read_operation(mark, method).and_then(|found| {
            match operations.iter().any(|known| known.name.value() == found.name.value()) {
                true => Err(Error::new_spanned(
                    &found.name,
                    format!("there is an operation `{}` already", found.name.value()),
                )),
                false => Ok(found),
            }
        });
        match (found, &mut errors) {
            (Ok(found), _) => operations.push(found),
            (Err(error), Some(all)) => all.combine(error),
            (Err(error), None) => errors = Some(error),
        }
    }
    match errors {
        Some(errors) => Err(errors),
        None if operations.is_empty() => Err(Error::new_spanned(
            &block.self_ty,
            "an actor needs an operation: mark a method with #[operation]",
        )),
        None => Ok(operations),
    }
}

fn is_operation(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "operation")
}

fn read_operation(mark: &Attribute, method: &ImplItemFn) -> Result<Operation> {
    let signature = &method.sig;
    let name = match &mark.meta {
        Meta::Path(_) => LitStr::new(&signature.ident.to_string(), signature.ident.span()),
        Meta::List(_) => mark.parse_args().map_err(|error| {
            Error::new(error.span(), "an operation's name is a text: #[operation(\"Name\")]")
        })?,
        Meta::NameValue(meta) => {
            return Err(Error::new_spanned(meta, "write #[operation] or #[operation(\"Name\")]"));
        }
    };
    if name.value().is_empty() {
        return Err(Error::new_spanned(&name, "an operation's name can't be empty"));
    }
    if let Some(keyword) = &signature.asyncness {
        return Err(Error::new_spanned(keyword, "an operation is not async: its host calls wait"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "an operation has no parameters of type",
        ));
    }
    let ReturnType::Type(_, output) = &signature.output else {
        return Err(Error::new_spanned(
            &signature.ident,
            "an operation returns a `Result`: `-> Result<()>` where there is nothing to say",
        ));
    };
    let mut inputs = signature.inputs.iter();
    let payload = match inputs.next() {
        None => None,
        Some(FnArg::Typed(argument)) => Some((*argument.ty).clone()),
        Some(FnArg::Receiver(receiver)) => {
            return Err(Error::new_spanned(
                receiver,
                "an operation takes no `self`: an actor keeps nothing between calls",
            ));
        }
    };
    if let Some(second) = inputs.next() {
        return Err(Error::new_spanned(
            second,
            "an operation takes one payload: put the fields into a struct",
        ));
    }
    let conditions = method.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    Ok(Operation {
        name,
        conditions: conditions.cloned().collect(),
        method: signature.ident.clone(),
        payload,
        output: (**output).clone(),
    })
}

/// Writes the arm of the match that calls `operation`. Its spans are those of the operation's
/// types, so that one that msgpack can't express is what the compiler points at.
fn arm(operation: &Operation) -> TokenStream {
    let Operation { name, conditions, method, payload, output } = operation;
    let call = match payload {
        None => quote_spanned!(output.span()=> Self::#method()),
        Some(ty) => {
            let read = quote_spanned!(ty.span()=>
                <#ty as ::mesh_actor::FromPayload>::from_payload(payload));
            quote_spanned! {output.span()=>
                Self::#method(#read.map_err(|error| error.in_operation(operation))?)
            }
        }
    };
    let answer = quote_spanned!(output.span()=> ::mesh_actor::export::answer);
    quote! {
        #(#conditions)*
        #name => #answer(#call),
    }
}

/// Writes the function that a waPC host calls. `wapc_init`, which a module may have, would be one
/// more entry into each fresh instance for nothing.
fn exports(actor: &Type) -> TokenStream {
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the host finds it by its name")]
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn __guest_call(operation_length: usize, payload_length: usize) -> i32 {
                ::mesh_actor::export::guest_call::<#actor>(operation_length, payload_length)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(item: TokenStream) -> String {
        expand(TokenStream::new(), item).expect_err("accepted").to_string()
    }

    #[test]
    fn operations_answer_to_their_names() {
        let block = quote! {
            impl Echo {
                #[operation]
                fn echo(payload: Raw) -> Result<Raw> { Ok(payload) }
                #[operation("Http.Handle")]
                fn handle() -> Result<()> { Ok(()) }
                fn helper(&self) {}
            }
        };
        let text = expand(TokenStream::new(), block).expect("expands").to_string();
        assert!(text.contains(r#"& ["echo" , "Http.Handle"]"#), "{text}");
        assert!(!text.contains("# [operation"), "{text}");
    }

    #[test]
    fn what_cannot_be_an_operation_is_told() {
        let cases = [
            (quote!(impl A { #[operation] fn f(&self) -> R {} }), "keeps nothing between calls"),
            (quote!(impl A { #[operation] fn f(a: A, b: B) -> R {} }), "one payload"),
            (quote!(impl A { #[operation] fn f(a: A) {} }), "returns a `Result`"),
            (quote!(impl A { #[operation] async fn f() -> R {} }), "not async"),
            (quote!(impl A { #[operation] fn f<T>(a: T) -> R {} }), "no parameters of type"),
            (quote!(impl A { #[operation(7)] fn f() -> R {} }), "name is a text"),
            (quote!(impl A { #[operation = "f"] fn f() -> R {} }), "write #[operation]"),
            (quote!(impl A { #[operation("")] fn f() -> R {} }), "can't be empty"),
            (quote!(impl A { fn f() -> R {} }), "needs an operation"),
            (
                quote!(
                    impl<T> A<T> {
                        #[operation]
                        fn f() -> R {}
                    }
                ),
                "no type parameters",
            ),
            (quote!(impl B for A { #[operation] fn f() -> R {} }), "without a trait"),
            (
                quote!(
                    mod a {}
                ),
                "belongs on an `impl` block",
            ),
        ];
        for (item, told) in cases {
            let text = item.to_string();
            let error = error_of(item);
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_told() {
        let error = error_of(quote! {
            impl A { #[operation("f")] fn a() -> R {} #[operation] fn f() -> R {} }
        });
        assert_eq!(error, "there is an operation `f` already");
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let item = quote! {
            impl A { #[operation] fn a(&self) -> R {} #[operation] fn b(x: X) {} }
        };
        let error = expand(TokenStream::new(), item).expect_err("accepted");
        assert_eq!(error.into_iter().count(), 2);
    }
}
