//! Hiring virtual employees.

use crate::{
    app::{
        App,
        once::{Asked, once},
    },
    resource::{Everyone, Get, Resource},
    store::marketplace::{
        hired_employees::{self, HiredEmployee, NewHiredEmployee},
        virtual_employees::VirtualEmployee,
    },
};
use shared_db::{
    error::Result,
    ids::{HiredEmployeeId, VirtualEmployeeId},
    service::Caller,
};

pub async fn hire(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    whom: VirtualEmployeeId,
    new: NewHiredEmployee,
) -> Result<<HiredEmployee as Resource>::Wire> {
    let (org, id) = (caller.org()?, HiredEmployeeId::generate());
    once(app, caller, asked, id, async |tx| {
        let whom = VirtualEmployee::get(tx, Everyone, whom).await?;
        hired_employees::hire(tx, org, id, &whom, new, caller.user).await
    })
    .await
}
