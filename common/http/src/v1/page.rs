//! Pages of lists: `{"data":[…],"next":"<cursor>"}`, and the next page as a link (RFC 8288).

use actix_web::http::header::LINK;
use actix_web::{HttpRequest, HttpResponse};
use form_urlencoded::{Serializer, parse};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on this page
    pub data: Vec<T>,
    /// The cursor of the next page; null on the last
    #[schema(required)]
    pub next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// The answer to the request that asked for it.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(next) = &self.next {
            response.insert_header((LINK, format!("<{}>; rel=\"next\"", link(request, next))));
        }
        response.json(self)
    }
}

/// The path and query of a request, for another page.
fn link(request: &HttpRequest, cursor: &str) -> String {
    let mut query = Serializer::new(String::new());
    let others = parse(request.query_string().as_bytes()).filter(|(name, _)| name != "cursor");
    query.extend_pairs(others).append_pair("cursor", cursor);
    format!("{}?{}", request.path(), query.finish())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_page_links_to_the_next_of_the_same_query() {
        let request = TestRequest::with_uri("/v1/products?tag=a%20b%3E&cursor=old&limit=2").to_http_request();
        let page = Page { data: vec![1, 2], next: Some("n-w".to_owned()) };
        let response = page.answer(&request);
        let link = response.headers().get(LINK).unwrap();
        assert_eq!(link, "</v1/products?tag=a+b%3E&limit=2&cursor=n-w>; rel=\"next\"");
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"data":[1,2],"next":"n-w"}"#);
    }

    #[test]
    fn the_last_page_links_nowhere() {
        let page = Page { data: vec![1], next: None };
        let response = page.answer(&TestRequest::with_uri("/v1/products").to_http_request());
        assert!(response.headers().get(LINK).is_none());
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"data":[1],"next":null}"#);
    }
}
