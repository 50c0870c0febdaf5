//! `CreditPriceService`.

use crate::{
    api::request,
    app::change::{Change, Subject},
    resource::{Resource, service},
    store::billing::credit_prices::{self, CreditPrice},
};
use shared_db::{ids::CreditPriceId, service::accept};
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    CreditPrice of credit_prices, get, list {
        async fn create_credit_price(
            &self,
            request: Request<pb::CreateCreditPriceRequest>,
        ) -> Result<Response<pb::CreditPrice>> {
            let (caller, request) = accept(request)?;
            let new = CreditPrice::new_from(request::required("credit_price", request.credit_price)?)?;
            let id = CreditPriceId::generate();
            let made = Change::new(&caller, "CreateCreditPrice", Subject { kind: "credit_price", id: id.0 })
                .across_organizations()
                .apply(&self.app.db, async |tx| credit_prices::create(tx, id, new).await)
                .await?;
            Ok(Response::new(made.into_wire()?))
        }
    }
}
