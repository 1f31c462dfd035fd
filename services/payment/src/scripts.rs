//! The scripts of the payment service: its atomic steps, one file each. The head of a file is its contract.

shardcart_store::scripts! {
    // Users.
    pub(crate) CREATE = "create.lua";
    pub(crate) ADD_FUNDS = "add_funds.lua";
    pub(crate) LOAD = "load.lua";
    pub(crate) UNLOAD = "unload.lua";

    // Direct payments.
    pub(crate) PAY = "pay.lua";
    pub(crate) CANCEL_PAYMENT = "cancel_payment.lua";
    pub(crate) STATUS = "status.lua";

    // Payment's part in a checkout.
    pub(crate) RESERVE = "reserve.lua";
    pub(crate) CONFIRM = "confirm.lua" including "settle";
    pub(crate) CANCEL = "cancel.lua" including "settle";
}
