//! Addresses as people write them: what is accepted, and what errors and documents show of them.

use std::path::{Component, Path as FilePath, PathBuf};

use object_store::path::Path;
use url::Url;

use super::service::Service;
use crate::{Error, Result};

/// An address that was understood.
pub(super) enum Address {
    Local(Path),
    Memory(Path),
    Bucket {
        service: Service,
        bucket: String,
        path: Path,
    },
}

impl Address {
    pub(super) fn parse(address: &str) -> Result<Self> {
        if address.trim().is_empty() {
            return Err(bad_address(address, "it is empty"));
        }
        let Some((scheme, rest)) = address.split_once("://") else {
            return local(FilePath::new(address)).map(Self::Local);
        };
        match scheme {
            "file" => {
                let url = Url::parse(address).map_err(|error| bad_address(address, error))?;
                let file = url
                    .to_file_path()
                    .map_err(|()| bad_address(address, "it names no local path"))?;
                local(&file).map(Self::Local)
            }
            "memory" => {
                let path = Path::parse(rest.trim_matches('/'))
                    .map_err(|error| bad_address(address, error))?;
                readable(path, address).map(Self::Memory)
            }
            scheme => match Service::of(scheme) {
                Some(service) => bucket(service, address),
                None => Err(bad_address(
                    address,
                    format!("`{scheme}` is no kind of address that Emberlens knows"),
                )),
            },
        }
    }
}

/// `s3://bucket/path` and its like: a bucket and a path, and nothing else.
fn bucket(service: Service, address: &str) -> Result<Address> {
    let refused = |reason: String| bad_address(address, reason);
    let url = Url::parse(address).map_err(|error| refused(error.to_string()))?;
    let names = service.variables();
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(format!(
            "user names and passwords do not belong into it; credentials come from {names} of the environment"
        )));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(format!(
            "it holds a query or a fragment; tokens and options come from {names} of the environment"
        )));
    }
    if url.port().is_some() {
        return Err(refused(format!(
            "a port belongs to the endpoint, which {} names",
            service.endpoint_variable()
        )));
    }
    let bucket = match url.host_str() {
        Some(bucket) if !bucket.is_empty() => bucket.to_owned(),
        _ => return Err(refused("it names no bucket".to_owned())),
    };
    let path = Path::from_url_path(url.path()).map_err(|error| refused(error.to_string()))?;
    Ok(Address::Bucket {
        service,
        bucket,
        path: readable(path, address)?,
    })
}

/// A path at which the Delta kernel finds what lies there: to it `%20` is a space, and a backslash ends
/// a folder.
pub(super) fn readable(path: Path, address: &str) -> Result<Path> {
    let misread = |called: &str| {
        Err(Error::invalid(
            "address",
            format!("{:?}", without_credentials(address)),
            format!("tables below a folder with a {called} in its name cannot be read: `/{path}`"),
            "rename the folder, or choose another root",
        ))
    };
    match path.as_ref().chars().find(|it| matches!(it, '%' | '\\')) {
        None => Ok(path),
        Some('%') => misread("percent sign"),
        Some(_) => misread("backslash"),
    }
}

/// A local path as the store names it.
pub(super) fn local(path: &FilePath) -> Result<Path> {
    let shown = path.display().to_string();
    let absolute = std::path::absolute(path).map_err(|error| bad_address(&shown, error))?;
    // `absolute` keeps `..`; the store refuses it, so resolve what exists and clean up the rest.
    let mut clean = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            other => clean.push(other),
        }
    }
    let path = Path::from_absolute_path(&clean).map_err(|error| bad_address(&shown, error))?;
    readable(path, &shown)
}

pub(super) fn bad_address(address: &str, reason: impl ToString) -> Error {
    Error::invalid(
        "address",
        format!("{:?}", without_credentials(address)),
        reason.to_string(),
        "use a local path, file:///path, memory://, s3://bucket/path, az://container/path or gs://bucket/path",
    )
}

/// More URLs than a path has in it.
const MAX_URLS: u32 = 8;

/// A URL without `user:password@`, query and fragment, where signatures and tokens are; anything else as
/// it is. A path that was read from a file may hold a URL anywhere, and several: what follows a number of
/// them that no path has is left out.
pub(crate) fn without_credentials(address: &str) -> String {
    let mut shown = String::with_capacity(address.len());
    let mut rest = address;
    for number in 0.. {
        let Some((scheme, behind)) = rest.split_once("://") else {
            break;
        };
        shown.push_str(scheme);
        shown.push_str("://");
        rest = match number {
            0..MAX_URLS => bare(behind),
            _ => "(hidden)",
        };
    }
    shown.push_str(rest);
    shown
}

/// What follows the scheme of a URL, without the parts that open it.
fn bare(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.split_once(':').map(|(_, port)| port);
    let is_password = !authority.starts_with('[')
        && port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit()));
    // A password may hold any of `/?#@` itself: then the last `@` ends it.
    let rest = match (is_password, authority.rfind('@'), rest.rfind('@')) {
        (true, _, Some(at)) | (false, Some(at), _) => &rest[at + 1..],
        (true, _, None) => authority.split(':').next().unwrap_or_default(),
        (false, None, _) => rest,
    };
    rest.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str) -> String {
        match Address::parse(address) {
            Ok(_) => panic!("{address} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_bucket_and_a_path_are_read_from_an_address() {
        for (address, expected) in [
            ("s3://b-1/runs/a", "runs/a"),
            ("az://b-1/runs/a/", "runs/a"),
            ("gs://b-1", ""),
            ("s3://b-1/my%20runs/学習", "my runs/学習"),
            ("s3://b-1/my runs/学習", "my runs/学習"),
        ] {
            let Ok(Address::Bucket { bucket, path, .. }) = Address::parse(address) else {
                panic!("{address}");
            };
            assert_eq!((bucket.as_str(), path.as_ref()), ("b-1", expected));
        }
    }

    #[test]
    fn what_belongs_into_the_environment_is_refused_and_not_repeated() {
        for address in [
            "s3://AKIAID:sec/ret@bucket/a",
            "s3://AKIAID:sec?ret@bucket/a",
            "s3://AKIAID:sec@ret@bucket/a",
            "s3://AKIAID:secret@bucket/a",
            "s3://bucket/a?X-Amz-Signature=secret&X-Amz-Credential=AKIAID",
            "az://container/a?sv=2024&sig=secret#AKIAID",
            "https://account.blob.core.windows.net/c?sig=secret&id=AKIAID",
            "s3://AKIAID:secret",
        ] {
            let error = refusal(address);
            for secret in [
                "secret", "sec/ret", "sec?ret", "sec@", "sec\"", "X-Amz", "sig=",
            ] {
                assert!(!error.contains(secret), "{error}");
            }
        }
        assert!(refusal("s3://me:secret@bucket/a").contains("AWS_"));
        assert!(refusal("az://c/a?sig=secret").contains("AZURE_"));
        assert!(refusal("s3://bucket:9000/a").contains("AWS_ENDPOINT_URL"));
        assert!(refusal("s3:///a").contains("no bucket"));
        assert!(refusal("s3://b/a%2520b").contains("percent"));
    }

    #[test]
    fn urls_within_a_path_are_shown_without_credentials_too() {
        for (path, shown) in [
            ("../s3://me:secret@b/x?sig=secret", "../s3://b/x"),
            ("x://y/s3://me:secret@b/x", "x://y/s3://b/x"),
            ("s3://me:se://cret@b/x#secret", "s3://b/x"),
            ("s3://me:se cret@b/x", "s3://b/x"),
            ("x://", "x://"),
            ("://me:secret@b", "://b"),
        ] {
            assert_eq!(without_credentials(path), shown);
        }
        let long = "a://".repeat(1 << 14);
        assert!(!without_credentials(&format!("{long}me:secret@b")).contains("secret"));
    }

    #[cfg(unix)]
    #[test]
    fn folders_that_the_kernel_would_look_for_elsewhere_are_refused() {
        for (address, reason) in [
            (
                "/a%20b/runs",
                "percent sign in its name cannot be read: `/a%20b/runs`",
            ),
            ("c%/runs", "percent sign"),
            ("/a\\b", "backslash in its name cannot be read: `/a\\b`"),
            ("file:///a%2520b/runs", "percent sign"),
            ("file:///a%5Cb/runs", "backslash"),
            ("memory://a%20b", "percent sign"),
            ("s3://bucket/a\\b", "backslash"),
        ] {
            let error = refusal(address);
            assert!(error.contains(reason), "{error}");
            assert!(error.ends_with("another root"), "{error}");
        }
        // What is left again is not a part of the path.
        assert!(Address::parse("/a%20b/../runs").is_ok());
    }

    #[test]
    fn addresses_without_credentials_stay_as_they_are() {
        for address in [
            "/data/a@b?c",
            "https://host:8080/a@b/c",
            "s3://bucket/a b",
            "http://[::1]:80/x",
        ] {
            assert_eq!(without_credentials(address), address);
        }
    }
}
