//! `ResearchTemplateService`.

use crate::{resource::service, store::research::research_templates::ResearchTemplate};

service! { ResearchTemplate of research_templates, get, list, create, update, delete }
