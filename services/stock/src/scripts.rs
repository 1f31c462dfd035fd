//! The scripts of the stock service: its atomic steps, one file each. The head of a file is its contract.

shardcart_store::scripts! {
    // Items.
    pub(crate) CREATE = "create.lua";
    pub(crate) ADD = "add.lua";
    pub(crate) SUBTRACT = "subtract.lua";
    pub(crate) LOAD = "load.lua";
    pub(crate) UNLOAD = "unload.lua";
    pub(crate) COUNT = "count.lua";

    // Products.
    pub(crate) PRODUCT_PUT = "product_put.lua" including "product_entries" including "product_body";
    pub(crate) PRODUCT_READ = "product_read.lua";
    pub(crate) PRODUCT_PAGE = "product_page.lua" including "product_body";
    pub(crate) PRODUCT_QUOTES = "product_quotes.lua" including "product_body";
    pub(crate) PRODUCT_REPLAY = "product_replay.lua";
    pub(crate) PRODUCT_AUDIT = "product_audit.lua" including "product_entries" including "product_body";
    pub(crate) PRODUCT_STRAYS = "product_strays.lua" including "product_entries" including "product_body";

    // Stock's part in a checkout.
    pub(crate) RESERVE = "reserve.lua";
    pub(crate) CONFIRM = "confirm.lua" including "settle";
    pub(crate) CANCEL = "cancel.lua" including "settle";
}
