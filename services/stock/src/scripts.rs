//! The scripts of the stock service: its atomic steps, one file each. The head of a file is its contract.

shardcart_store::scripts! {
    // Items.
    pub(crate) CREATE = "create.lua";
    pub(crate) ADD = "add.lua";
    pub(crate) SUBTRACT = "subtract.lua";
    pub(crate) LOAD = "load.lua";
    pub(crate) UNLOAD = "unload.lua";

    // Stock's part in a checkout.
    pub(crate) RESERVE = "reserve.lua";
    pub(crate) CONFIRM = "confirm.lua" including "settle";
    pub(crate) CANCEL = "cancel.lua" including "settle";
}
