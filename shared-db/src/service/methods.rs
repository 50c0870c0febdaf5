//! The methods of a service as its descriptors tell of them: who may call each, and whether it streams.

use super::caller::Role;
use anyhow::{Context, Result, bail};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::{collections::HashMap, sync::Arc};

/// Health and reflection: anybody may call them, and they are never shed. With whether they stream.
const OPEN: [(&str, &str, bool); 5] = [
    ("grpc.health.v1.Health", "Check", false),
    ("grpc.health.v1.Health", "List", false),
    ("grpc.health.v1.Health", "Watch", true),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", true),
    ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo", true),
];

#[derive(Clone, Debug)]
pub struct Method {
    /// `freehold.web.v1.AgentService/GetAgent`
    pub full_name: String,
    /// `GetAgent`
    pub name: String,
    /// `None`: anybody, without credentials.
    pub least_role: Option<Role>,
    /// It answers with a stream.
    pub streams: bool,
}

/// All methods of a service, by the path of their requests.
#[derive(Clone, Debug)]
pub struct Methods {
    by_path: HashMap<String, Arc<Method>>,
    services: Vec<String>,
}

/// Reads the methods of all services in `pool`. Fails on one that names no role: nobody has thought about who may call it.
pub fn table(pool: &DescriptorPool) -> Result<Methods> {
    let mut methods = Methods { by_path: HashMap::new(), services: Vec::new() };
    for (service, name, streams) in OPEN {
        methods.add(service, name, None, streams);
    }
    for service in pool.services() {
        let service_name = service.full_name().to_owned();
        for method in service.methods() {
            let role = least_role(pool, &method);
            let role = role.with_context(|| method.full_name().to_owned())?;
            methods.add(&service_name, method.name(), Some(role), method.is_server_streaming());
        }
        methods.services.push(service_name);
    }
    Ok(methods)
}

impl Methods {
    pub fn get(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// The methods that a descriptor set tells of.
    pub fn of(descriptor: &[u8]) -> Result<Self> {
        table(&DescriptorPool::decode(descriptor)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        self.by_path.values().map(AsRef::as_ref)
    }

    /// Full names of the services.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    fn add(&mut self, service: &str, name: &str, least_role: Option<Role>, streams: bool) {
        let full_name = format!("{service}/{name}");
        let path = format!("/{full_name}");
        let method = Method { full_name, name: name.to_owned(), least_role, streams };
        self.by_path.insert(path, Arc::new(method));
    }
}

fn least_role(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Role> {
    let extension = pool
        .get_extension_by_name("freehold.options.v1.least_role")
        .context("the descriptors do not contain freehold.options.v1.least_role")?;
    let options = method.options();
    let number = options.get_extension(&extension).as_enum_number().unwrap_or_default();
    match Role::try_from(number) {
        Ok(Role::Unspecified) | Err(_) => bail!("the method names no role that may call it"),
        Ok(role) => Ok(role),
    }
}
