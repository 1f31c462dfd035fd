//! Every metric by name, with its labels and its meaning. `observability/metrics.md` has the same list for operators.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that is what it is.
    Gauge,
    /// A histogram of durations, in seconds.
    Seconds,
    /// A histogram of sizes.
    Size,
}

/// A metric: one name, and a series for each combination of values of its labels.
#[derive(Debug)]
pub struct Metric {
    /// The name in Prometheus.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels, in the order in which their values are given.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($name:ident = $kind:ident $text:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $name: Metric = Metric { name: $text, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*

        /// All metrics.
        pub static ALL: &[&Metric] = &[$(&$name),*];
    };
}

metrics! {
    REQUESTS = Counter "shardcart_requests_total" ["service", "endpoint", "class", "code"]
        "Requests answered. code: ok, or the code of the problem; endpoint: its template, none for no such path";
    REQUEST_DURATION = Seconds "shardcart_request_duration_seconds" ["service", "endpoint"]
        "From a request's head to its answer";
    REQUESTS_IN_FLIGHT = Gauge "shardcart_requests_in_flight" ["service"]
        "Requests let in and not answered yet, on all listeners of the process";
    OVERLOAD_REFUSALS = Counter "shardcart_overload_refusals_total" ["service"]
        "Requests refused before anything was done for them, because there was too much to do (429): at the gate, or a checkout that was not admitted";

    CHECKOUTS = Counter "shardcart_checkouts_total" ["outcome"]
        "Checkouts answered. outcome: paid, repeated (it was paid already, or another request's attempt paid it), the code of the refusal, overloaded (429), aborted, unknown (503 outcome_unknown), unavailable (503 shard_unavailable)";
    CHECKOUT_DURATION = Seconds "shardcart_checkout_duration_seconds" ["outcome"]
        "From a checkout's arrival to its answer, with its wait for admission. outcome: paid, repeated, refused (429, too), unknown (both kinds of 503)";
    CHECKOUT_STEP_DURATION = Seconds "shardcart_checkout_step_duration_seconds" ["step"]
        "How long a step of a checkout took: turn (the wait for admission, of those that had to wait), begin, stock (reserve on all stock shards), payment (reserve), decide, give_up; settle is after the answer";
    CHECKOUTS_WAITING = Gauge "shardcart_checkouts_waiting" []
        "Checkouts that wait for admission, because CHECKOUTS_MAX are under way in their thread";
    BUSY_RETRIES = Counter "shardcart_busy_retries_total" ["participant"]
        "Reserves asked again because undecided attempts of others stood in their way";
    ATTEMPTS_IN_FLIGHT = Gauge "shardcart_attempts_in_flight" ["shard"]
        "Attempts on an order shard that are begun and not settled";
    OLDEST_ATTEMPT = Gauge "shardcart_oldest_attempt_age_seconds" ["shard"]
        "Age of the oldest attempt in flight on an order shard, 0 when there is none";
    TAKEN_OVER = Counter "shardcart_recovery_taken_over_total" []
        "Undecided attempts that recovery took away from a coordinator that was late, and gave up: each once, however long it takes to settle";
    ALARMS = Counter "shardcart_alarms_total" ["service", "kind"]
        "What must never happen. lost, conflict: a reservation is not what the decision needs; clock: the clocks differ too much for the machine to be ready, counted again every 10 s; identity: a shard is not what it should be: the machine stops at once, so that hardly a scrape sees it";
    SLOW_CHECKOUTS = Counter "shardcart_slow_checkouts_total" []
        "Checkouts that took longer than SLOW_MS";

    BATCH_OPERATIONS = Size "shardcart_participant_batch_operations" ["participant"]
        "Operations in a batch for one shard of a participant; its count is the number of batches";
    BATCH_DURATION = Seconds "shardcart_participant_batch_duration_seconds" ["participant"]
        "How long a batch took, as the coordinator saw it";
    UNANSWERED_OPERATIONS = Counter "shardcart_participant_unanswered_total" ["participant"]
        "Operations to which a participant gave no answer: they may have happened, and are asked again";

    SHARD_UP = Gauge "shardcart_shard_up" ["service", "shard"]
        "1 when the shard answered when it was last asked, 0 when it did not";
    SHARD_ROUND_TRIP = Seconds "shardcart_shard_round_trip_seconds" ["service", "shard"]
        "From sending commands to a shard to having all their replies; one measurement for a pipeline. Bulk loads do not count";
    SHARD_COMMANDS = Counter "shardcart_shard_commands_total" ["service", "shard"]
        "Commands sent to a shard";
    SHARD_RECONNECTS = Counter "shardcart_shard_reconnects_total" ["service", "shard"]
        "Connections to a shard that were made in place of lost ones";
    SHARD_FAILURES = Counter "shardcart_shard_failures_total" ["service", "shard", "kind"]
        "Tries of calls that got no reply. unreachable: nothing was sent; refused: Redis refused (memory, disk, loading); unanswered: it may have happened";
    SHARD_MEMORY_USED = Gauge "shardcart_shard_memory_used_bytes" ["service", "shard"]
        "Memory that a shard's Redis uses";
    SHARD_MEMORY_MAX = Gauge "shardcart_shard_memory_max_bytes" ["service", "shard"]
        "The maxmemory of a shard's Redis, 0 where it has none";
    SHARD_AOF_ENABLED = Gauge "shardcart_shard_aof_enabled" ["service", "shard"]
        "1 when a shard's Redis keeps an append-only file";
    SHARD_AOF_OK = Gauge "shardcart_shard_aof_write_ok" ["service", "shard"]
        "1 when the last write of a shard's Redis to its append-only file went well";
    SHARD_AOF_SIZE = Gauge "shardcart_shard_aof_size_bytes" ["service", "shard"]
        "Size of a shard's append-only file";
    SHARD_REPLICAS = Gauge "shardcart_shard_replicas" ["service", "shard"]
        "Replicas that are connected to a shard's Redis";
    SHARD_CLIENTS = Gauge "shardcart_shard_clients" ["service", "shard"]
        "Clients that are connected to a shard's Redis";
    SHARD_OPS = Gauge "shardcart_shard_operations_per_second" ["service", "shard"]
        "Commands a second that a shard's Redis counted lately, of all its clients";
    SHARD_CLOCK_OFFSET = Gauge "shardcart_shard_clock_offset_seconds" ["service", "shard"]
        "How far a shard's clock is ahead of this machine's";
    RESERVATIONS_HELD = Gauge "shardcart_reservations_held" ["service", "shard"]
        "Reservations that a stock or payment shard holds undecided or unsettled";
    IDEMPOTENCY_RECORDS = Gauge "shardcart_idempotency_records" ["service", "shard"]
        "Idempotency keys that a shard keeps; one that has gone may count for an hour more";
    IDEMPOTENCY_RECORDS_MAX = Gauge "shardcart_idempotency_records_max" ["service", "shard"]
        "How many idempotency keys a shard keeps at most; calls that move money go beyond it";
    COLLECT_DURATION = Gauge "shardcart_collect_duration_seconds" ["service"]
        "How long the last look at all shards took";

    SPANS_EXPORTED = Counter "shardcart_spans_exported_total" []
        "Spans that a collector has taken";
    SPANS_DROPPED = Counter "shardcart_spans_dropped_total" []
        "Spans that were lost: the queue was full, or the collector did not take them";

    BUILD_INFO = Gauge "shardcart_build_info" ["program", "version"]
        "Always 1; the labels tell what runs";
    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Processor time of this process, user and system, in seconds";
    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" []
        "Resident memory of this process";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" []
        "File descriptors that this process has open";
    PROCESS_MAX_FDS = Gauge "process_max_fds" []
        "File descriptors that this process may have open";
    PROCESS_START = Gauge "process_start_time_seconds" []
        "When this process started, in seconds since 1970";
}
