//! `[providers.NAME]`: the configured dial string templates over the built-in ones.

use std::collections::BTreeMap;

use super::layers::Effective;
use super::value::Value;
use crate::room::dial_plan::Provider;

/// The configured providers, by normalized name.
pub fn configured(effective: &Effective) -> BTreeMap<String, Provider> {
    let mut providers = BTreeMap::<String, Provider>::new();
    for (name, value, _) in effective.rows() {
        let parts: Vec<_> = name.split('.').collect();
        let (["providers", provider, key], Value::Text(text)) = (parts.as_slice(), value) else {
            continue;
        };
        let provider = providers.entry((*provider).to_owned()).or_default();
        let template = Some(text.clone());
        match *key {
            "sip" => provider.sip = template,
            "h323" => provider.h323 = template,
            "dtmf" => provider.dtmf = template,
            _ => {}
        }
    }
    providers
}

/// Lays the configured providers over the built-in ones, field by field; `""` takes a built-in template away.
pub fn with_built_in(
    configured: BTreeMap<String, Provider>,
    built_in: BTreeMap<String, Provider>,
) -> BTreeMap<String, Provider> {
    let mut providers = built_in;
    for (name, over) in configured {
        let provider = providers.entry(name).or_default();
        let lay = |field: &mut Option<String>, over: Option<String>| {
            if let Some(template) = over {
                *field = (!template.is_empty()).then_some(template);
            }
        };
        lay(&mut provider.sip, over.sip);
        lay(&mut provider.h323, over.h323);
        lay(&mut provider.dtmf, over.dtmf);
    }
    providers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(sip: Option<&str>, dtmf: Option<&str>) -> Provider {
        Provider {
            sip: sip.map(str::to_owned),
            dtmf: dtmf.map(str::to_owned),
            ..Provider::default()
        }
    }

    #[test]
    fn configured_fields_go_over_built_in_ones_one_by_one() {
        let built_in = BTreeMap::from([("zoom".to_owned(), provider(Some("a"), Some("b")))]);
        let configured = BTreeMap::from([
            ("zoom".to_owned(), provider(Some("c"), None)),
            ("own".to_owned(), provider(None, Some("d"))),
        ]);
        let merged = with_built_in(configured, built_in);
        assert_eq!(merged["zoom"], provider(Some("c"), Some("b")));
        assert_eq!(merged["own"], provider(None, Some("d")));
    }

    #[test]
    fn an_empty_template_takes_the_built_in_one_away() {
        let built_in = BTreeMap::from([("zoom".to_owned(), provider(Some("a"), Some("b")))]);
        let configured = BTreeMap::from([("zoom".to_owned(), provider(None, Some("")))]);
        assert_eq!(
            with_built_in(configured, built_in)["zoom"],
            provider(Some("a"), None)
        );
    }
}
