//! The context of a request or a checkout, carried along by its task.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shardcart_types::ids::{OrderId, TxId};

use super::export;
use super::parent::{Origin, RequestName, TraceParent, new_span};
use super::span::Span;
use crate::metrics;
use crate::metrics::checkout::Step;

tokio::task_local! {
    static CONTEXT: Rc<Context>;
}

/// A request, or a checkout within one.
#[derive(Debug)]
pub struct Context {
    origin: Origin,
    /// The span in which this one is, if there is one.
    outer: Option<u64>,
    began: Instant,
    order: Option<OrderId>,
    tx: RefCell<Option<TxId>>,
    /// Whether the attempt that this checkout is about is its own.
    drives: Cell<bool>,
    /// The span of the step that is under way; else this one.
    inner: Cell<u64>,
    /// How long each step took, all its times together, in microseconds.
    steps: Cell<[u32; Step::ALL.len()]>,
}

impl Context {
    /// The context of a request with these values of `traceparent` and `x-request-id`. A trace is begun where the client
    /// sent none.
    pub fn of_request(trace_parent: Option<&str>, request_id: Option<&str>, began: Instant) -> Rc<Self> {
        let client: Option<TraceParent> = trace_parent.and_then(|text| text.parse().ok());
        let parent = client.map_or_else(|| TraceParent::begin(export::samples()), TraceParent::child);
        let request = RequestName::given(request_id.unwrap_or_default(), parent);
        Rc::new(Context::new(Origin { parent, request }, client.map(|client| client.span), began, None))
    }

    /// The context of a checkout, within the request that asks for it if there is one.
    pub fn of_checkout(origin: Option<Origin>, order: &OrderId) -> Rc<Self> {
        let (origin, outer) = match origin {
            Some(Origin { parent, request }) => (Origin { parent: parent.child(), request }, Some(parent.span)),
            None => {
                let parent = TraceParent::begin(export::samples());
                (Origin { parent, request: RequestName::Span(parent.span) }, None)
            }
        };
        Rc::new(Context::new(origin, outer, Instant::now(), Some(order.clone())))
    }

    fn new(origin: Origin, outer: Option<u64>, began: Instant, order: Option<OrderId>) -> Self {
        let inner = Cell::new(origin.parent.span);
        Context {
            origin,
            outer,
            began,
            order,
            tx: RefCell::default(),
            drives: Cell::default(),
            inner,
            steps: Cell::default(),
        }
    }

    /// When it began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether the checkout drives an attempt of its own.
    pub fn drives(&self) -> bool {
        self.drives.get()
    }

    /// How long all times of a step took together.
    pub fn step(&self, step: Step) -> Duration {
        Duration::from_micros(self.steps.get()[step as usize].into())
    }

    /// This context's own span, to be exported if its trace is recorded and there is a collector.
    pub fn span(&self, service: &'static str, name: impl FnOnce() -> String) -> Option<Span> {
        let began = export::wants(self.origin.parent).then_some(self.began)?;
        let Origin { parent, .. } = self.origin;
        let span = Span::new(service, name(), parent, self.outer, began);
        let span = span.with("request", &self.origin.request).with_some("order", self.order.as_ref());
        Some(span.with_some("tx", self.tx().as_ref()))
    }

    /// What it is about.
    pub fn about(&self) -> About {
        About {
            trace: Some(format!("{:032x}", self.origin.parent.trace)),
            request: Some(self.origin.request.to_string()),
            order: self.order.as_ref().map(ToString::to_string),
            tx: self.tx().map(|tx| tx.to_string()),
        }
    }

    fn tx(&self) -> Option<TxId> {
        self.tx.borrow().clone()
    }
}

/// Runs something as a part of this context.
pub fn within<F: Future>(context: &Rc<Context>, work: F) -> impl Future<Output = F::Output> + use<F> {
    CONTEXT.scope(Rc::clone(context), work)
}

/// Does something that writes to the log, for an operation of this origin.
pub fn aside<T>(origin: Option<&Origin>, work: impl FnOnce() -> T) -> T {
    match origin {
        Some(origin) => {
            let context = Context::new(origin.clone(), None, Instant::now(), None);
            CONTEXT.sync_scope(Rc::new(context), work)
        }
        None => work(),
    }
}

/// The request or the checkout that this task works for.
pub fn own() -> Option<Origin> {
    CONTEXT.try_with(|context| context.origin.clone()).ok()
}

/// Where in which trace this task is now.
pub fn current() -> Option<Origin> {
    let origin = |context: &Rc<Context>| Origin {
        parent: TraceParent { span: context.inner.get(), ..context.origin.parent },
        request: context.origin.request.clone(),
    };
    CONTEXT.try_with(origin).ok()
}

/// From now on this task's checkout is about the attempt of another.
pub fn about_tx(tx: &str) {
    let _ = CONTEXT.try_with(|context| *context.tx.borrow_mut() = TxId::parse(tx).ok());
}

/// From now on this task's checkout drives an attempt of its own.
pub fn drives(tx: &TxId) {
    let _ = CONTEXT.try_with(|context| {
        context.drives.set(true);
        *context.tx.borrow_mut() = Some(tx.clone());
    });
}

/// A step of a checkout, until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Timed {
    step: Step,
    began: Instant,
    outer: Option<u64>,
}

/// Measures a step of this task's checkout until what it returns is dropped. A value and no wrapper around the step's
/// future, which would make every future around it larger.
pub fn step(step: Step) -> Timed {
    let outer = CONTEXT.try_with(|context| {
        // Without a collector there is no span, and nobody asks for its id.
        export::wants(context.origin.parent).then(|| context.inner.replace(new_span()))
    });
    Timed { step, began: Instant::now(), outer: outer.ok().flatten() }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let Timed { step, began, outer } = *self;
        let took = began.elapsed();
        metrics::checkout::step(step, took);
        let _ = CONTEXT.try_with(|context| {
            let mut steps = context.steps.get();
            let total = &mut steps[step as usize];
            *total = total.saturating_add(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            context.steps.set(steps);
            if let Some(outer) = outer {
                let parent = TraceParent { span: context.inner.replace(outer), ..context.origin.parent };
                export::send(Span::new("order", step.as_str().to_owned(), parent, Some(outer), began));
            }
        });
    }
}

/// What a log line is about, as far as it is known: written as fields behind the line's own.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The trace.
    pub trace: Option<String>,
    /// The request.
    pub request: Option<String>,
    /// The order.
    pub order: Option<String>,
    /// The attempt.
    pub tx: Option<String>,
}

impl About {
    /// What this task is about.
    pub fn now() -> Self {
        CONTEXT.try_with(|context| context.about()).unwrap_or_default()
    }

    /// Names and values of what is known.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("order", &self.order), ("tx", &self.tx), ("trace", &self.trace), ("request", &self.request)];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

impl fmt::Display for About {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().try_for_each(|(name, value)| write!(formatter, " {name}={value}"))
    }
}
