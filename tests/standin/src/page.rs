//! HTML pages.

pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// Escapes text for HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

pub(crate) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}

pub(crate) fn error(error: &str, description: &str) -> String {
    let body = format!(
        "<p>Sorry, but we’re having trouble signing you in.</p>\n<p id=\"error\">{}</p>\n<p id=\"error-description\">{}</p>",
        escape(error),
        escape(description)
    );
    page("Sign in", &body)
}

/// Returns a form with hidden fields and one button.
pub(crate) fn button(action: &str, fields: &[(&str, &str)], id: &str, label: &str) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect();
    format!(
        "<form method=\"post\" action=\"{}\">{fields}<button id=\"{}\">{}</button></form>",
        escape(action),
        escape(id),
        escape(label)
    )
}
