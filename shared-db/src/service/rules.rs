//! Field rules: what `buf.validate` and `google.api.field_behavior` say in the protos, enforced for every method.
//!
//! [`register`] compiles the rules of a service's protos once, at boot, and refuses a rule that it does not know, so that no rule
//! is ever written and silently not kept. [`check`] runs them over a request and reports every violation at once, each with the
//! path of its field. Messages without rules cost nothing.
//!
//! Beyond the rules themselves: `Create…Request` needs the REQUIRED fields of its resource, and in `Update…Request` the mask names
//! top-level fields of the resource that callers may change; fields that the mask leaves out are not looked at.

mod check;
mod compile;
mod number;
mod options;
mod resource;
#[cfg(test)]
mod tests;
mod text;
mod value;

use crate::error::{Error, Reason, Result, Violation};
use check::Walk;
use compile::MessageRules;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
pub(crate) use resource::mask_paths;
use resource::{Request, Verb};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, RwLock},
};

/// More violations than this are not listed: they must fit into the trailers of a response.
const VIOLATIONS_MAX: usize = 32;

/// Everything that is known of one message.
struct Entry {
    descriptor: MessageDescriptor,
    /// `None`: nothing to check, here and in all that it contains.
    rules: Option<MessageRules>,
    request: Option<Request>,
}

type Book = HashMap<String, Arc<Entry>>;

static BOOK: LazyLock<RwLock<Book>> = LazyLock::new(|| {
    let common = entries(common_api::descriptors()).expect("the tests compile the common rules");
    RwLock::new(common)
});

/// Compiles the rules of all messages in an encoded descriptor set, and returns its descriptors.
pub fn register(descriptor: &[u8]) -> anyhow::Result<DescriptorPool> {
    let pool = DescriptorPool::decode(descriptor)?;
    let entries = entries(&pool)?;
    BOOK.write().unwrap_or_else(std::sync::PoisonError::into_inner).extend(entries);
    Ok(pool)
}

/// Fails when a rule of the pool's messages is one that [`check`] would not enforce.
pub fn compile(pool: &DescriptorPool) -> anyhow::Result<()> {
    entries(pool).map(drop)
}

/// Runs the rules over a message; all violations come back in one error.
pub fn check<M: Message + Name>(message: &M) -> Result<()> {
    let name = M::full_name();
    if name.starts_with("google.protobuf.") {
        return Ok(());
    }
    let entry = find(&name)?;
    let bytes = message.encode_to_vec();
    let nul = bytes.contains(&0);
    if entry.rules.is_none() && entry.request.is_none() && !nul {
        return Ok(());
    }
    let mut dynamic = DynamicMessage::new(entry.descriptor.clone());
    dynamic.merge(bytes.as_slice()).map_err(Error::internal)?;
    check_dynamic(&entry, &dynamic, nul)
}

/// `nul`: there is a zero among its bytes, which may be that of a text.
fn check_dynamic(entry: &Entry, message: &DynamicMessage, nul: bool) -> Result<()> {
    let book = BOOK.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut walk = Walk::new(&book);
    if nul {
        text::check(message, &mut walk);
    }
    let mut wanted = None;
    if let Some(request) = &entry.request {
        let fields = match request.verb {
            Verb::Create => request.created(),
            Verb::Update { mask } => {
                request.updated(resource::mask_of(message, mask).as_deref())?
            }
        };
        request.check_required(message, &fields, &mut walk);
        wanted = Some((request.field, fields));
    }
    if let Some(rules) = &entry.rules {
        walk.message(rules, message, wanted.as_ref());
    }
    match walk.finish() {
        violations if violations.is_empty() => Ok(()),
        violations => Err(Error::Invalid { reason: Reason::InvalidField, violations }),
    }
}

fn find(name: &str) -> Result<Arc<Entry>> {
    let book = BOOK.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let missing = || Error::internal(anyhow::anyhow!("the rules of {name} were not registered"));
    book.get(name).cloned().ok_or_else(missing)
}

/// The descriptor of a registered message.
pub(crate) fn descriptor(name: &str) -> Result<MessageDescriptor> {
    Ok(find(name)?.descriptor.clone())
}

fn entries(pool: &DescriptorPool) -> anyhow::Result<Book> {
    let mut rules = compile::messages(pool)?;
    let entry = |descriptor: MessageDescriptor| -> anyhow::Result<(String, Arc<Entry>)> {
        let name = descriptor.full_name().to_owned();
        let request = Request::of(&descriptor)?;
        let entry = Entry { rules: rules.remove(&name), request, descriptor };
        Ok((name, Arc::new(entry)))
    };
    pool.all_messages().filter(compile::is_ours).map(entry).collect()
}
