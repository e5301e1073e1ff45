//! The CloudFormation templates, as far as the local stack must understand them.
//!
//! Values are resolved as CloudFormation does; whatever is not understood (a function, a type of
//! resource, a parameter without a value) is an error and never skipped.

pub mod resolve;
pub mod roles;
pub mod stack_resources;
mod yaml;

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};

use crate::error::StackError;

/// A template, with intrinsic functions in their long form and anchors replaced.
#[derive(Clone, Debug)]
pub struct Template {
    /// The whole document.
    document: Value,
}

impl Template {
    /// Reads a template file.
    ///
    /// # Errors
    /// [`StackError`] when it cannot be read or is not a template.
    pub fn read(path: &Path) -> Result<Self, StackError> {
        let text = std::fs::read_to_string(path).map_err(StackError::io(format!("reading `{}`", path.display())))?;
        Self::from_text(&text).map_err(|error| StackError::Template(format!("{}: {error}", path.display())))
    }

    /// Reads a template.
    ///
    /// # Errors
    /// [`StackError::Template`] when it is not one.
    pub fn from_text(text: &str) -> Result<Self, StackError> {
        let document = yaml::to_json(text)?;
        if document.get("Resources").and_then(Value::as_object).is_none() {
            return Err(StackError::Template("no `Resources`".to_owned()));
        }
        Ok(Self { document })
    }

    /// A top-level section; empty when it is absent.
    pub fn section(&self, name: &str) -> Map<String, Value> {
        self.document.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The values of all parameters: those given, and the defaults of the others.
    ///
    /// # Errors
    /// [`StackError::Template`] when a parameter has neither, or a given one is not declared.
    pub fn parameters(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, Value>, StackError> {
        let declared = self.section("Parameters");
        if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
            return Err(StackError::Template(format!("there is no parameter `{unknown}`")));
        }
        declared
            .iter()
            .map(|(name, declaration)| {
                let value = match (given.get(name), declaration.get("Default")) {
                    (Some(value), _) => value.clone(),
                    (None, Some(Value::String(value))) => value.clone(),
                    (None, Some(value)) => value.to_string(),
                    (None, None) => return Err(StackError::Template(format!("parameter `{name}` has no value"))),
                };
                let is_list = declaration.get("Type").and_then(Value::as_str) == Some("CommaDelimitedList");
                let value = if is_list {
                    value.split(',').map(|item| Value::String(item.trim().to_owned())).collect()
                } else {
                    Value::String(value)
                };
                Ok((name.clone(), value))
            })
            .collect()
    }

    /// The names of the parameters that have no default.
    pub fn required_parameters(&self) -> Vec<String> {
        let declared = self.section("Parameters");
        declared.iter().filter(|(_, body)| body.get("Default").is_none()).map(|(name, _)| name.clone()).collect()
    }

    /// The type of a resource.
    pub fn resource_type(&self, logical_id: &str) -> Option<&str> {
        self.document.get("Resources")?.get(logical_id)?.get("Type")?.as_str()
    }
}
