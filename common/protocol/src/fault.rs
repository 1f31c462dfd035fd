//! Places where a test can have this process die. Release builds have none of it.

/// A place where a process can be made to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Coordinator: the attempt has begun.
    AfterBegin,
    /// Coordinator: a participant has answered a reserve. Passed once for each.
    AfterReserve,
    /// Coordinator: everything is held.
    AfterAll,
    /// Coordinator: the order is paid, and its client does not know yet.
    AfterDecide,
    /// Settling: a participant shard has been told a decision. Passed once for each; the attempt is not finished yet.
    MidSettle,
    /// Recovery: an order has been taken over. Passed once for each; its participants have not been told yet.
    MidRecovery,
    /// Participant: the scripts of a batch have run, and no answer has been sent.
    AfterScript,
}

/// Ends the process as `kill -9` does, if `FAULT_AT` names this point: `after_begin`, or `after_begin:3` for the third
/// time that it is passed. Without that variable, and in builds without debug assertions, nothing happens.
#[cfg(debug_assertions)]
pub fn point(passed: Point) {
    armed::pass(passed);
}

/// Nothing happens in a build without debug assertions.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_: Point) {}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Point;

    static ARMED: LazyLock<Option<(Point, AtomicU32)>> = LazyLock::new(|| {
        let setting = std::env::var("FAULT_AT").ok().filter(|setting| !setting.is_empty())?;
        let armed = parse(&setting);
        assert!(armed.is_some(), "FAULT_AT: got {setting:?}, expects a point of fault.rs as in `after_begin:3`");
        armed
    });

    fn parse(setting: &str) -> Option<(Point, AtomicU32)> {
        let (name, passes) = setting.split_once(':').unwrap_or((setting, "1"));
        let point = match name {
            "after_begin" => Point::AfterBegin,
            "after_reserve" => Point::AfterReserve,
            "after_all" => Point::AfterAll,
            "after_decide" => Point::AfterDecide,
            "mid_settle" => Point::MidSettle,
            "mid_recovery" => Point::MidRecovery,
            "after_script" => Point::AfterScript,
            _ => return None,
        };
        let passes = passes.parse().ok().filter(|passes| *passes > 0)?;
        Some((point, AtomicU32::new(passes)))
    }

    pub(super) fn pass(passed: Point) {
        let Some((point, left)) = ARMED.as_ref() else { return };
        if *point == passed && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            log::warn!(point:? = passed; "this process dies here, as FAULT_AT asks");
            std::process::abort();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_setting_names_a_point_and_a_pass() {
            let parsed = |setting| parse(setting).map(|(point, left)| (point, left.into_inner()));
            assert_eq!(parsed("after_begin"), Some((Point::AfterBegin, 1)));
            assert_eq!(parsed("mid_settle:3"), Some((Point::MidSettle, 3)));
            assert_eq!(parsed("mid_settle:0"), None);
            assert_eq!(parsed("somewhere"), None);
        }
    }
}
