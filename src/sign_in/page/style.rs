//! The style of the pages, in light and dark colors.

/// All colors are variables, which have other values in the dark theme. The tests check their contrast.
pub(super) const STYLE: &str = "\
    :root{color-scheme:light dark;--back:#fafafa;--back-hint:#efefef;\
    --text:#222;--note:#595959;--link:#0b57d0;--yes:#146c3e;--no:#b3261e}\
    @media(prefers-color-scheme:dark){:root{--back:#1b1b1b;--back-hint:#292929;\
    --text:#eee;--note:#b0b0b0;--link:#8ab4f8;--yes:#6fd39c;--no:#ff8a80}}\
    body{margin:12vh auto 2rem;max-width:34rem;padding:0 1.5rem;font:1.1rem/1.6 system-ui,sans-serif;\
    overflow-wrap:anywhere;color:var(--text);background:var(--back)}\
    h1{font-size:1.6rem;line-height:1.3;margin:0 0 1rem;text-wrap:balance}p{margin:.75rem 0}a{color:var(--link)}\
    code{display:inline-block;font:.9em ui-monospace,monospace}\
    .mark{font-size:3rem;line-height:1;margin:0 0 .75rem}.yes{color:var(--yes)}.no{color:var(--no)}\
    .hint{padding:.75rem 1rem;border-radius:.5rem;background:var(--back-hint)}\
    .note,footer{font-size:.9rem;color:var(--note)}footer{margin-top:2.5rem}";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::STYLE;

    /// The minimum contrast of text (WCAG 2.1, 1.4.3, level AA).
    const LEAST_CONTRAST: f64 = 4.5;

    /// Returns the variables that a part of the style sets.
    fn colors(style: &str) -> BTreeMap<&str, &str> {
        let declarations = style.split(['{', '}', ';']).filter_map(|declaration| declaration.split_once(':'));
        declarations.filter(|(name, _)| name.starts_with("--")).collect()
    }

    /// The relative luminance (WCAG 2.1) of `#rgb` or `#rrggbb`.
    fn luminance(color: &str) -> f64 {
        let digits = color.strip_prefix('#').expect("a color");
        let digits: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits.to_owned(),
        };
        assert_eq!(digits.len(), 6, "{color}");
        let channel = |index: usize| {
            let value = f64::from(u8::from_str_radix(&digits[index..index + 2], 16).expect("a color")) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn the_contrast_is_that_of_wcag() {
        assert!((contrast("#fff", "#000000") - 21.0).abs() < 1e-9);
        // From "Understanding Success Criterion 1.4.3": #767676 is the lightest grey on white that passes.
        assert!(contrast("#767676", "#fff") >= LEAST_CONTRAST && contrast("#777777", "#fff") < LEAST_CONTRAST);
    }

    #[test]
    fn each_text_has_enough_contrast_in_both_themes() {
        let (light, rest) = STYLE.split_once("@media(prefers-color-scheme:dark){").expect("a dark theme");
        let (dark, rules) = rest.split_once("}}").expect("the end of the dark theme");
        let themes = [colors(light), colors(dark)];
        assert!(themes[0].keys().eq(themes[1].keys()), "each color has a value in both themes: {themes:?}");
        for theme in themes {
            let is_background = |name: &str| name.starts_with("--back");
            for (text, color) in theme.iter().filter(|(name, _)| !is_background(name)) {
                for (background, behind) in theme.iter().filter(|(name, _)| is_background(name)) {
                    let contrast = contrast(color, behind);
                    assert!(contrast >= LEAST_CONTRAST, "{text} {color} on {background} {behind}: {contrast:.2}");
                }
            }
        }
        for (property, value) in rules.split(['{', '}', ';']).filter_map(|declaration| declaration.split_once(':')) {
            let has_color = property.ends_with("color") || property.starts_with("background");
            assert!(!value.contains('#') && (!has_color || value.starts_with("var(--")), "{property}:{value}");
        }
        for element in ["body", "a"] {
            let rule = rules.split('}').find_map(|rule| rule.strip_prefix(element)?.strip_prefix('{'));
            assert!(rule.is_some_and(|rule| rule.contains("color:var(")), "{element} has a color of both themes");
        }
    }
}
