//! What is sold, and what an organization has bought.

pub mod credit_prices;
pub mod license_sections;
pub mod licenses;
pub mod subscription_tiers;
pub mod subscriptions;
