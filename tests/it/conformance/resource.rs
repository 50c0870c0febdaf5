//! A resource as the laws see it: what to create, what may be changed, and who may. The rest follows from the contract.

use super::words::{merged, snake};
use freehold_tests::{
    client::{Api, Caller},
    stack::{Org, Stack},
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tonic::Status;

/// What is the same for most resources is derived from [`Resource::KIND`]; the others say what differs.
pub(crate) trait Resource: Send + Sync {
    /// Such as `CoreAction`.
    const KIND: &'static str;
    /// Such as `CoreActions`.
    const PLURAL: &'static str;
    /// The field that identifies it.
    const ID: &'static str = "id";
    /// The verbs that make it and take it away.
    const CREATE: &'static str = "Create";
    const DELETE: &'static str = "Delete";
    /// Fields of the request that creates it which the service does not do without, beyond those that the contract marks.
    const REQUIRED: &'static [&'static str] = &[];
    /// Fields that the contract would let a caller change, but not of this kind.
    const NEVER_CHANGED: &'static [&'static str] = &[];
    /// Each organization has its own. Of the others a test sees those of all tests, unless it has a stack of its own.
    const TENANT: bool = true;

    /// Its lists begin with the oldest.
    const OLDEST_FIRST: bool = false;

    /// It is itself the organization that a call about it acts in.
    const ORGANIZATION: bool = false;

    /// Who may change it, with no more rights than needed.
    fn writer(org: &Org) -> Caller {
        org.developer()
    }

    /// Who may read it, with no more rights than needed.
    fn reader(org: &Org) -> Caller {
        org.viewer()
    }

    /// Somebody of another organization who may do there whatever can be done with it.
    fn mighty(org: &Org) -> Caller {
        org.owner()
    }

    /// What drafts refer to, made once for each test.
    fn prepare(_stack: &Stack, _org: &Org) -> impl Future<Output = Value> + Send {
        async { Value::Null }
    }

    /// A valid one, with every field that a caller may set, in which `name` makes it differ from all others.
    fn draft(given: &Value, name: &str) -> Value;

    /// New values for every field that may be changed.
    fn changes(_given: &Value) -> Value {
        json!({})
    }

    /// The request that makes it of a draft.
    fn create_request(draft: Value) -> Value {
        let field = snake(Self::KIND);
        match Api::Web.method(&Self::creator()).input().get_field_by_name(&field) {
            Some(_) => json!({ field: draft }),
            None => draft,
        }
    }

    /// The method that makes it.
    fn creator() -> String {
        format!("{}Service/{}{}", Self::KIND, Self::CREATE, Self::KIND)
    }

    /// The resource, where the answer to the request that makes it of a draft does not hold it.
    fn found(
        _reader: &Caller,
        _draft: &Value,
        created: Value,
    ) -> impl Future<Output = Value> + Send {
        async { created }
    }

    /// What of the draft is in the resource.
    fn given_back(draft: Value) -> Value {
        draft
    }

    /// The resource in the answer to a request that creates.
    fn created(answer: Value) -> Value {
        answer
    }

    /// A request that names it and nothing else.
    fn named(_given: &Value, id: &str) -> Value {
        json!({ Self::ID: id })
    }

    /// Whatever its lists need besides the page.
    fn list_scope(_given: &Value) -> Value {
        json!({})
    }

    /// Each filter that its lists take, with one that is let through and one that is not.
    fn sieves(_given: &Value) -> Vec<Sieve> {
        Vec::new()
    }

    /// Filters that these laws can not show, and the module that does.
    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] = &[];

    /// Makes of a new one what the request that creates it could not.
    fn finish(writer: &Caller, created: Value, rest: Value) -> impl Future<Output = Value> + Send {
        async move {
            let mask: Vec<_> = rest.as_object().into_iter().flatten().map(|it| it.0).collect();
            let changed = merged(json!({ Self::ID: created[Self::ID] }), rest.clone());
            let request = json!({ snake(Self::KIND): changed, "update_mask": mask });
            let method = format!("{}Service/Update{}", Self::KIND, Self::KIND);
            writer.call(&method, request).await.expect("a new one is changed")
        }
    }
}

/// A filter of a list, what of a draft makes one that it lets through, and what one that it does not. The second is created first.
pub(crate) struct Sieve {
    pub(crate) filter: Value,
    pub(crate) inside: Value,
    pub(crate) outside: Value,
}

pub(crate) fn sieve(filter: Value, inside: Value, outside: Value) -> Sieve {
    Sieve { filter, inside, outside }
}

/// One resource, in an organization of its own.
pub(crate) struct World<R> {
    /// Kept for as long as the organization is used.
    _stack: Arc<Stack>,
    pub(crate) org: Org,
    pub(crate) given: Value,
    pub(crate) writer: Caller,
    pub(crate) reader: Caller,
    made: AtomicU32,
    /// Ids of those that were made here and are still there.
    known: Mutex<BTreeSet<String>>,
    resource: std::marker::PhantomData<R>,
}

impl<R: Resource> World<R> {
    pub(crate) async fn new() -> Self {
        Self::on(Stack::shared().await).await
    }

    /// One whose lists show what this test made, and nothing else.
    pub(crate) async fn alone() -> Self {
        if R::TENANT { Self::new().await } else { Self::on(Arc::new(Stack::start().await)).await }
    }

    /// One where nothing but the services' own statements keeps rows apart.
    pub(crate) async fn without_policies() -> Self {
        Self::on(Stack::shared_without_policies().await).await
    }

    async fn on(stack: Arc<Stack>) -> Self {
        let org = stack.organization().await;
        let given = R::prepare(&stack, &org).await;
        let (writer, reader) = (R::writer(&org), R::reader(&org));
        let (made, known) = (AtomicU32::new(0), Mutex::default());
        Self {
            _stack: stack,
            org,
            given,
            writer,
            reader,
            made,
            known,
            resource: std::marker::PhantomData,
        }
    }

    pub(crate) fn method(verb: &str) -> String {
        let noun = if verb == "List" { R::PLURAL } else { R::KIND };
        format!("{}Service/{verb}{noun}", R::KIND)
    }

    /// A draft that differs from all others, those of other tests included.
    pub(crate) fn draft(&self) -> Value {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        // The organization's own slug is unique in the cluster of tests.
        R::draft(&self.given, &format!("{}-{number}", self.org.slug))
    }

    pub(crate) async fn try_create(&self, draft: Value) -> Result<Value, Status> {
        let request = R::create_request(draft.clone());
        let created = R::created(self.writer.call(&R::creator(), request).await?);
        let created = R::found(&self.reader, &draft, created).await;
        self.known.lock().unwrap().insert(Self::id(&created).to_owned());
        Ok(created)
    }

    /// The caller for a call about the one with this id.
    pub(crate) fn about(&self, caller: &Caller, id: &str) -> Caller {
        if R::ORGANIZATION && self.known.lock().unwrap().contains(id) {
            caller.with_identity(caller.identity.clone().in_org(id))
        } else {
            caller.clone()
        }
    }

    /// One that differs from a draft in `fields`, whether callers say them when they create it or afterwards.
    pub(crate) async fn create_with(&self, fields: &Value) -> Value {
        let known = Self::draft_message();
        let (first, rest): (Map<_, _>, Map<_, _>) = fields
            .as_object()
            .expect("fields are an object")
            .clone()
            .into_iter()
            .partition(|(field, _)| known.get_field_by_name(field).is_some());
        let created = self.try_create(merged(self.draft(), first.into())).await;
        let created = created.unwrap_or_else(|status| panic!("{fields} is created: {status:?}"));
        if rest.is_empty() { created } else { R::finish(&self.writer, created, rest.into()).await }
    }

    pub(crate) async fn create(&self) -> Value {
        self.try_create(self.draft()).await.expect("a valid one is created")
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Value, Status> {
        let reader = self.about(&self.reader, id);
        reader.call(&Self::method("Get"), R::named(&self.given, id)).await
    }

    /// How one that is there stands: as it is shown in lists, where it can not be got by itself.
    pub(crate) async fn standing(&self, id: &str) -> Value {
        if Self::can("Get") {
            return self.get(id).await.expect("it is still there");
        }
        let (shown, _) = self.list(json!({ "page_size": 1000 })).await.unwrap();
        shown.into_iter().find(|it| Self::id(it) == id).expect("it is still there")
    }

    /// Whether the contract has a method for it with this verb.
    pub(crate) fn can(verb: &str) -> bool {
        let method = Self::method(verb);
        Api::Web.methods().any(|it| method.ends_with(&format!("/{}", it.name())))
    }

    /// One page, and the token of the next.
    pub(crate) async fn list(&self, more: Value) -> Result<(Vec<Value>, String), Status> {
        let request = merged(R::list_scope(&self.given), more);
        let mut answer = self.reader.call(&Self::method("List"), request).await?;
        let items = answer[Self::items()].take();
        let items = serde_json::from_value(items).expect("a list of resources");
        Ok((items, answer["next_page_token"].as_str().unwrap_or_default().to_owned()))
    }

    pub(crate) async fn update(
        &self,
        resource: Value,
        mask: Option<&[&str]>,
    ) -> Result<Value, Status> {
        let writer = self.about(&self.writer, resource[R::ID].as_str().unwrap_or_default());
        writer.call(&Self::method("Update"), Self::update_request(&resource, mask)).await
    }

    pub(crate) fn update_request(resource: &Value, mask: Option<&[&str]>) -> Value {
        let mut request = json!({ snake(R::KIND): resource });
        if let Some(mask) = mask {
            request["update_mask"] = json!(mask);
        }
        request
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), Status> {
        let writer = self.about(&self.writer, id);
        writer.call(&Self::method(R::DELETE), json!({ R::ID: id })).await?;
        self.known.lock().unwrap().remove(id);
        Ok(())
    }

    pub(crate) fn id(resource: &Value) -> &str {
        resource[R::ID].as_str().expect("a resource has its id")
    }

    /// The list's field in a list's answer: the only one that is repeated.
    fn items() -> String {
        let answer = Api::Web.method(&Self::method("List")).output();
        let field = answer.fields().find(FieldDescriptor::is_list).expect("a list has items");
        field.name().to_owned()
    }

    /// The contract of what its lists take.
    pub(crate) fn list_message() -> MessageDescriptor {
        Api::Web.method(&Self::method("List")).input()
    }

    /// The contract of what a draft becomes: the resource, or the request itself where it is spelled out.
    pub(crate) fn draft_message() -> MessageDescriptor {
        let input = Api::Web.method(&R::creator()).input();
        match input.get_field_by_name(&snake(R::KIND)).map(|it| it.kind()) {
            Some(Kind::Message(resource)) => resource,
            _ => input,
        }
    }

    /// The path of a field of the draft, in a request that creates.
    pub(crate) fn draft_path(field: &str) -> String {
        if Self::draft_message() == Self::message() {
            format!("{}.{field}", snake(R::KIND))
        } else {
            field.to_owned()
        }
    }

    /// The contract of the resource itself.
    pub(crate) fn message() -> MessageDescriptor {
        Api::Web.method(&Self::method("Get")).output()
    }
}
