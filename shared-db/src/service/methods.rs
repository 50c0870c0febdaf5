//! The methods of a service as its descriptors tell of them: who may call each, and whether it streams.

use super::caller::Role;
use anyhow::{Context, Result, bail};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::{collections::HashMap, sync::Arc};

#[derive(Clone, Debug)]
pub struct Method {
    /// `freehold.web.v1.AgentService/GetAgent`
    pub full_name: String,
    /// `GetAgent`
    pub name: String,
    pub least_role: Role,
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
    let mut by_path = HashMap::new();
    let mut services = Vec::new();
    for service in pool.services() {
        services.push(service.full_name().to_owned());
        for method in service.methods() {
            let full_name = format!("{}/{}", service.full_name(), method.name());
            let least_role = least_role(pool, &method).with_context(|| full_name.clone())?;
            let (name, streams) = (method.name().to_owned(), method.is_server_streaming());
            let path = format!("/{full_name}");
            by_path.insert(path, Arc::new(Method { full_name, name, least_role, streams }));
        }
    }
    Ok(Methods { by_path, services })
}

impl Methods {
    pub fn get(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// Full names of the services.
    pub fn services(&self) -> &[String] {
        &self.services
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
