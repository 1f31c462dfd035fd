//! Endpoints of /v1: a path with its methods.
//!
//! `HEAD` is answered as `GET` is, `OPTIONS` with what is allowed, every other method with its problem. What a request
//! says and no argument of the handler has read is refused before the handler is called.

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, guard, web};
use shardcart_telemetry::metrics;

use super::route::{self, Path, Route};
use super::{PREFIX, body, query};
use crate::problem::Problem;

/// A path of /v1 that is being bound.
pub struct Endpoint {
    service: &'static str,
    path: &'static str,
    routes: Vec<Route>,
    resource: Resource,
}

/// A path of a service, from `/v1/` on.
pub fn at(service: &'static str, path: &'static str) -> Endpoint {
    let resource = web::resource(path.strip_prefix(PREFIX).unwrap_or(path));
    let resource = resource.app_data(metrics::requests::endpoint(service, path));
    Endpoint { service, path, routes: Vec::new(), resource }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $method:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<F, Args>(self, scope: &'static str, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.bind(Method::$method, Route { method: stringify!($method), scope, is_stream: false }, handler)
        }
    )*};
}

impl Endpoint {
    methods! {
        /// Adds `GET` (and `HEAD`), for those with this scope.
        get = GET;
        /// Adds `POST`, for those with this scope.
        post = POST;
        /// Adds `PUT`, for those with this scope.
        put = PUT;
        /// Adds `PATCH`, for those with this scope.
        patch = PATCH;
        /// Adds `DELETE`, for those with this scope.
        delete = DELETE;
    }

    /// Adds `GET` of an answer of any length, for those with this scope.
    #[must_use]
    pub fn get_stream<F, Args>(self, scope: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.bind(Method::GET, Route { method: "GET", scope, is_stream: true }, handler)
    }

    /// Adds `POST` of a body of any length, which the handler reads, for those with this scope.
    #[must_use]
    pub fn post_stream<F, Args>(self, scope: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.bind(Method::POST, Route { method: "POST", scope, is_stream: true }, handler)
    }

    fn bind<F, Args>(mut self, method: Method, route: Route, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let is_read_in_whole = method == Method::GET && !route.is_stream;
        let bound = web::route().to(checked(handler));
        let bound = if is_read_in_whole {
            bound.guard(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            bound.guard(guard::Method(method))
        };
        self.routes.push(route);
        Endpoint { resource: self.resource.route(bound), ..self }
    }

    fn allow(&self) -> String {
        let mut methods = Vec::new();
        for route in &self.routes {
            methods.push(route.method);
            if route.method == "GET" && !route.is_stream {
                methods.push("HEAD");
            }
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }
}

impl HttpServiceFactory for Endpoint {
    fn register(self, config: &mut AppService) {
        let allow = self.allow();
        let Endpoint { service, path, routes, resource } = self;
        let path = route::register(Path { service, path, routes, allow });
        let options =
            move || async move { HttpResponse::NoContent().insert_header((ALLOW, path.allow.as_str())).finish() };
        let refuse = move || async move { Err::<HttpResponse, _>(Problem::method_not_allowed(&path.allow)) };
        let options = web::route().guard(guard::Options()).to(options);
        resource.app_data(path).route(options).default_service(web::to(refuse)).register(config);
    }
}

/// A handler that is called only when it has read all that the request says.
fn checked<F, Args>(handler: F) -> impl Handler<(HttpRequest, Args), Output = Result<F::Output, Problem>>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    move |request: HttpRequest, args: Args| {
        let handler = handler.clone();
        async move {
            query::check_nothing_is_left(&request)?;
            body::check_nothing_is_left(&request)?;
            drop(request);
            Ok(handler.call(args).await)
        }
    }
}
