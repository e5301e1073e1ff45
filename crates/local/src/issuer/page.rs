//! The sign-in page.

use maud::{DOCTYPE, html};

/// The hidden fields of the form: the authorization request, carried through.
pub(super) struct SignInPage<'a> {
    pub(super) action: &'a str,
    pub(super) fields: &'a [(&'static str, String)],
    pub(super) persons: &'a [String],
}

impl SignInPage<'_> {
    pub(super) fn render(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Local sign-in" }
                    style {
                        "body{font:16px/1.5 system-ui;margin:4rem auto;max-width:24rem;padding:0 1rem}"
                        "input,button{font:inherit;padding:.4rem .6rem;width:100%;box-sizing:border-box;margin:.3rem 0}"
                    }
                }
                body {
                    h1 { "Local sign-in" }
                    p { "This page stands for your identity provider on the local stack. Anybody can be anybody here." }
                    form method="post" action=(self.action) {
                        @for (name, value) in self.fields {
                            input type="hidden" name=(name) value=(value);
                        }
                        label for="person" { "Who are you?" }
                        input id="person" name="person" list="persons" autocomplete="off" autofocus required;
                        datalist id="persons" {
                            @for person in self.persons {
                                option value=(person) {}
                            }
                        }
                        button type="submit" name="consent" value="yes" { "Sign in" }
                    }
                }
            }
        }
        .into_string()
    }
}
