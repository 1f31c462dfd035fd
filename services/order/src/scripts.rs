//! The scripts of the order service: its atomic steps, one file each. The head of a file is its contract.

shardcart_store::scripts! {
    // Orders and carts.
    pub(crate) CREATE = "create.lua";
    pub(crate) ADD_ITEM = "add_item.lua";
    pub(crate) REMOVE_ITEM = "remove_item.lua";
    pub(crate) REMOVE = "remove.lua";
    pub(crate) REPLAY = "replay.lua";
    pub(crate) FIND = "find.lua";
    pub(crate) LOAD = "load.lua";
    pub(crate) UNLOAD = "unload.lua";

    // A checkout, from begin to its decision.
    pub(crate) BEGIN = "begin.lua";
    pub(crate) DECIDE = "decide.lua";
    pub(crate) ABORT = "abort.lua";
    pub(crate) REFUSE = "refuse.lua";

    // After the decision, and after a crash.
    pub(crate) FINISH = "finish.lua";
    pub(crate) CLAIM = "claim.lua";
    pub(crate) TAKE_OVER = "take_over.lua";

    // What participants ask.
    pub(crate) ORDER_STATUS = "order_status.lua";
}
