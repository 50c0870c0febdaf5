//! The enums of the schema `web` that plain resources have, as the wire calls them.

use crate::resource::wire_enums;

wire_enums! {
    /// What a user may do on the platform as a whole. The column is a text.
    SystemRole = "text" { User, SystemAdmin }
    EmployeeSource = "web.employee_source" { Internal, Kagent, Registry }
    HiredEmployeeStatus = "web.hired_employee_status" { Active, Paused }
    ConnectionKind = "web.connection_kind" { Vertical, Horizontal }
    ProjectStatus = "web.project_status" { Active, Paused, Completed, Archived }
    TaskStatus = "web.task_status" { Todo, InProgress, Blocked, Done, Cancelled }
    MessageAuthor = "web.message_author" { Person, Employee }
    EmailFolder = "web.email_folder" { Inbox, Drafts, Sent, Archive, Spam, Trash }
    WorkspaceItemKind = "web.workspace_item_kind" { Link, Note, Task, Project, Sheet, File, Agent, Execution }
    BankAccountKind = "web.bank_account_kind" { Checking, Savings, Credit, Loan, Other }
    BrokerageStatus = "web.brokerage_status" { Active, Failing, Disconnected }
    PositionSide = "web.position_side" { Long, Short }
    WalletChain = "web.wallet_chain" { Ethereum, Polygon, Base, Solana, Bitcoin }
    IntegrationAuth = "web.integration_auth" { None, ApiKey, Oauth2 }
    SubscriptionStatus = "web.subscription_status" { Active, PastDue, Ended }
}
