//! Clients of S3, Azure and Google Cloud Storage: what the environment and the caller say of them.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::{ObjectStore, RetryConfig};

use super::redact::redacted;
use super::service::{Connected, Service};
use crate::{Error, Result};

/// How often a request that failed in transport, or at the server, is sent again.
const MAX_RETRIES: usize = 4;
/// After this time no request is sent again.
const RETRY_TIME: Duration = Duration::from_secs(30);
/// A request may take this long: a data file of 32 MiB over a slow line.
const REQUEST_TIME: &str = "300 seconds";

/// Options by their names in lower case, as the environment has them (`aws_region`).
type Options = BTreeMap<String, String>;

pub(super) fn connect(
    service: Service,
    bucket: &str,
    given: &[(String, String)],
) -> Result<Connected> {
    let prefix = prefix(service);
    let mut said: Options = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .map(|(name, value)| (name.to_lowercase(), value))
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    let mut set = Options::new();
    for (name, value) in given {
        set.insert(name.to_lowercase(), value.clone());
    }
    said.extend(set.clone());
    let timeout = format!("{prefix}timeout");
    if !said.contains_key(&timeout) {
        set.insert(timeout, REQUEST_TIME.to_owned());
    }
    check_scheme(service, &said)?;
    let secrets = secrets(&said);
    let objects = client(service, bucket, &set).map_err(|error| {
        let error = redacted(error, &secrets);
        Error::invalid(
            "address",
            format!("\"{}://{bucket}\"", service.scheme()),
            error.to_string(),
            format!("check {} of the environment", service.variables()),
        )
    })?;
    Ok(Connected {
        objects,
        place: place(&said),
        secrets,
    })
}

fn client(
    service: Service,
    bucket: &str,
    options: &Options,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig {
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIME,
        ..RetryConfig::default()
    };
    match service {
        #[cfg(feature = "s3")]
        Service::S3 => {
            let mut builder = object_store::aws::AmazonS3Builder::from_env();
            for (name, value) in options {
                builder = builder.with_config(key(name)?, value);
            }
            let builder = builder.with_bucket_name(bucket).with_retry(retry);
            Ok(Arc::new(builder.build()?))
        }
        #[cfg(feature = "azure")]
        Service::Azure => {
            let mut builder = object_store::azure::MicrosoftAzureBuilder::from_env();
            for (name, value) in options {
                builder = builder.with_config(key(name)?, value);
            }
            let builder = builder.with_container_name(bucket).with_retry(retry);
            Ok(Arc::new(builder.build()?))
        }
        #[cfg(feature = "gcs")]
        Service::Gcs => {
            let mut builder = object_store::gcp::GoogleCloudStorageBuilder::from_env();
            for (name, value) in options {
                builder = builder.with_config(key(name)?, value);
            }
            let builder = builder.with_bucket_name(bucket).with_retry(retry);
            Ok(Arc::new(builder.build()?))
        }
        #[allow(unreachable_patterns, reason = "with all features there is no other")]
        other => Err(object_store::Error::NotSupported {
            source: format!("{} is not built in", other.scheme()).into(),
        }),
    }
}

fn key<K: FromStr<Err = object_store::Error>>(name: &str) -> object_store::Result<K> {
    name.parse()
}

fn prefix(service: Service) -> &'static str {
    match service {
        Service::S3 => "aws_",
        Service::Azure => "azure_",
        Service::Gcs => "google_",
    }
}

/// An endpoint without TLS is one that somebody said is meant to be: the client's own error, at the
/// first request, does not tell how.
fn check_scheme(service: Service, said: &Options) -> Result<()> {
    let prefix = prefix(service);
    let is_allowed = ["allow_http", "use_emulator", "storage_use_emulator"]
        .iter()
        .filter_map(|name| said.get(&format!("{prefix}{name}")).or(said.get(*name)))
        .any(|value| {
            !matches!(
                value.to_lowercase().as_str(),
                "" | "0" | "false" | "off" | "no"
            )
        });
    let endpoint = said
        .iter()
        .find(|(name, url)| is_place(name) && url.to_lowercase().starts_with("http://"));
    match endpoint {
        Some((name, url)) if !is_allowed => Err(Error::invalid(
            name.to_uppercase(),
            super::address::without_credentials(url),
            "requests to it would not be encrypted",
            format!(
                "use https://, or set {}ALLOW_HTTP=true",
                prefix.to_uppercase()
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether an option says where the service is, or whose account is meant.
fn is_place(name: &str) -> bool {
    ["endpoint", "base_url", "account_name", "emulator"]
        .iter()
        .any(|part| name.contains(part))
        && !name.contains("sts")
        && !name.contains("msi")
        && !name.contains("metadata")
}

fn place(said: &Options) -> String {
    let mut place = String::new();
    for (name, value) in said.iter().filter(|(name, _)| is_place(name)) {
        place.push_str(name);
        place.push('=');
        place.push_str(value);
        place.push('\n');
    }
    place
}

/// The values that are secret. Shorter ones would be found in any text.
fn secrets(said: &Options) -> Vec<String> {
    let is_secret = |name: &str| {
        let named = ["key", "secret", "token", "sas"];
        named.iter().any(|part| name.contains(part)) && !name.ends_with("access_key_id")
    };
    said.iter()
        .filter(|(name, value)| is_secret(name) && value.len() >= 6)
        .map(|(_, value)| value.clone())
        .collect()
}

#[cfg(test)]
#[cfg(feature = "s3")]
mod tests {
    use super::*;

    fn refusal(options: &[(&str, &str)]) -> String {
        let options: Vec<_> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match connect(Service::S3, "b", &options) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.chain(),
        }
    }

    #[test]
    fn an_option_that_does_not_exist_is_named() {
        let error = refusal(&[("AWS_REGOIN", "eu-central-1")]);
        assert!(error.contains("aws_regoin"), "{error}");
    }

    #[test]
    fn an_endpoint_without_encryption_must_be_allowed() {
        let endpoint = ("AWS_ENDPOINT_URL", "http://me:secret@127.0.0.1:1");
        let error = refusal(&[endpoint]);
        assert!(error.contains("AWS_ALLOW_HTTP=true"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn buckets_of_two_accounts_are_told_apart_without_their_secrets() {
        let options = |endpoint: &str| {
            [
                ("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned()),
                ("AWS_ACCESS_KEY_ID".to_owned(), "AKIAEXAMPLE".to_owned()),
                ("AWS_SECRET_ACCESS_KEY".to_owned(), "very secret".to_owned()),
            ]
        };
        let one = connect(Service::S3, "b", &options("https://one")).unwrap();
        let other = connect(Service::S3, "b", &options("https://other")).unwrap();
        assert_ne!(one.place, other.place);
        assert!(!one.place.contains("secret"));
        assert!(one.secrets.contains(&"very secret".to_owned()));
    }
}
