//! One description of a resource, and what follows from it: the row, its statements, its way to and from the wire, and the
//! methods of its service.
//!
//! The statements are what a person would write in the shape of `web-service/src/store/actions/core_actions.rs`: static, explicit, and
//! checked by sqlx against the schema when they are compiled. Nothing is decided when the service runs.
//!
//! ```text
//! resource! {
//!     /// Text that people keep.
//!     Note in web.notes, tenant, soft_delete, verbs(get, list, create, update, delete) {
//!         folder_id: Option<NoteFolderId>,
//!         #[fixed] slug: String,
//!         #[creator] created_by: Option<UserId>,
//!         #[given] words: i32,
//!         due_at as due_time: Option<DateTime<Utc>>,
//!     }
//!     filters { folder_id: NoteFolderId = "folder_id = ?" }
//!     orders { "create_time desc" = created_at, "due_time" = due_at, "section, position" = (section, position) }
//! }
//! ```
//!
//! A column without a mark is set by callers and may be changed; `#[fixed]` is set once, `#[creator]` is the user who creates,
//! `#[counter]` grows with each change, and `#[given]` is only read. `column as field` says how the wire calls it, where it calls
//! it otherwise. `visible("…")` adds a condition without which a row is not there for anybody. `rules` says that the module has
//! `Rules` of its own, `statements` that it has further ones: a macro called like the resource has the column list for them. `hold` reads
//! one and keeps it from others until the end of the transaction.

mod columns;
mod lists;
mod rows;
mod service;
mod spec;
mod sql;
mod verbs;
mod wire;

use proc_macro::TokenStream;
use quote::quote;

/// The row of a resource, its statements, and its way to and from the wire.
#[proc_macro]
pub fn resource(input: TokenStream) -> TokenStream {
    let spec = syn::parse_macro_input!(input as spec::Spec);
    let (rows, verbs, wire) = (rows::tokens(&spec), verbs::tokens(&spec), wire::tokens(&spec));
    quote!(#rows #verbs #wire).into()
}

/// The service of a resource: the plain verbs that it names, and the methods that are written out after them.
///
/// ```text
/// service! {
///     Note of notes, get, list, create, update, delete {
///         async fn pin_note(…) { … }
///     }
/// }
/// ```
#[proc_macro]
pub fn service(input: TokenStream) -> TokenStream {
    let service = syn::parse_macro_input!(input as service::Service);
    service::tokens(&service).into()
}
