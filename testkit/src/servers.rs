//! Servers of other projects, started by the tests that talk to them, where they are installed.

use std::ffi::OsString;
use std::io::{Error, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take until it answers: Python and Node on a busy machine.
const MAX_START: Duration = Duration::from_secs(90);
/// The account and key that every Azurite has, from its documentation.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// A shared access signature of that account and key for everything until 2099. The signed text is
/// `devstoreaccount1\nrwdlac\nb\nsco\n\n2099-01-01T00:00:00Z\n\n\n2022-11-02\n\n`.
const AZURITE_SIGNATURE: &str = "sv=2022-11-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z\
     &sig=7UONs%2FYaET%2FoSyuKlfGYYrSHwkJMD5C6lbWQsyp6QTU%3D";
/// The bucket, or container, that a started server has.
pub const BUCKET: &str = "emberlens-tests";

/// A server that somebody else wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// S3 of Python's `moto`.
    Moto,
    /// Azure's blobs, by Microsoft.
    Azurite,
    /// S3 that does not look at the condition of a write.
    S3rver,
    /// S3 over files that looks before it writes, and loses races.
    S3sFs,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Moto => "moto_server",
            Self::Azurite => "azurite-blob",
            Self::S3rver => "s3rver",
            Self::S3sFs => "s3s-fs",
        }
    }

    /// The variable that names the program where it is not in `PATH`.
    fn variable(self) -> &'static str {
        match self {
            Self::Moto => "EMBERLENS_MOTO",
            Self::Azurite => "EMBERLENS_AZURITE",
            Self::S3rver => "EMBERLENS_S3RVER",
            Self::S3sFs => "EMBERLENS_S3S_FS",
        }
    }

    fn install(self) -> &'static str {
        match self {
            Self::Moto => "pip install 'moto[server]'",
            Self::Azurite => "npm install --global azurite",
            Self::S3rver => "npm install --global s3rver",
            Self::S3sFs => "cargo install s3s-fs --version 0.14.1 --features binary",
        }
    }

    /// Where it is installed, if it is.
    fn find(self) -> Option<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable()) {
            return Some(named.into());
        }
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders)
            .map(|folder| folder.join(self.name()))
            .find(|program| program.is_file())
    }

    /// Starts it, with an empty bucket; `None`, and a line that says so, where it is not installed.
    ///
    /// # Errors
    /// When it is installed and does not start.
    pub fn start(self) -> Result<Option<Server>> {
        let Some(program) = self.find() else {
            // Past what the test harness keeps back of tests that pass.
            writeln!(
                std::io::stderr(),
                "SKIPPED: {} is not installed; `{}` installs it ({} names it elsewhere)",
                self.name(),
                self.install(),
                self.variable()
            )?;
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut command = Command::new(&program);
        command.args(self.arguments(port, &folder)?);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::other(format!("{}: {error}", program.display())))?;
        let mut server = Server {
            program: self,
            child,
            port,
            _folder: folder,
        };
        server.wait_until_it_answers()?;
        server.make_bucket()?;
        Ok(Some(server))
    }

    fn arguments(self, port: u16, folder: &TempDir) -> Result<Vec<OsString>> {
        let port = port.to_string();
        let place = folder.path().as_os_str();
        let texts: Vec<&str> = match self {
            Self::Moto => vec!["-H", "127.0.0.1", "-p", &port],
            Self::Azurite => vec![
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port,
                "--inMemoryPersistence",
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ],
            Self::S3rver => vec![
                "--address",
                "127.0.0.1",
                "--port",
                &port,
                "--no-vhost-buckets",
                "--configure-bucket",
                BUCKET,
                "--directory",
            ],
            Self::S3sFs => {
                std::fs::create_dir(folder.path().join(BUCKET))?;
                vec![
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--access-key",
                    "AKIAEXAMPLE",
                    "--secret-key",
                    "S3RVERS3RVER",
                ]
            }
        };
        let mut arguments: Vec<OsString> = texts.into_iter().map(OsString::from).collect();
        if matches!(self, Self::S3rver | Self::S3sFs) {
            arguments.push(place.to_owned());
        }
        Ok(arguments)
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    program: Program,
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// The address of its bucket.
    pub fn address(&self) -> String {
        match self.program {
            Program::Azurite => format!("az://{BUCKET}"),
            _ => format!("s3://{BUCKET}"),
        }
    }

    /// What a client has to know to talk to it, by the names of the environment.
    pub fn settings(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let settings: Vec<(&str, String)> = match self.program {
            Program::Azurite => vec![
                (
                    "AZURE_STORAGE_ENDPOINT",
                    format!("{endpoint}/{AZURITE_ACCOUNT}"),
                ),
                ("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY.to_owned()),
                ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ],
            program => {
                let (key, secret) = match program {
                    Program::S3rver => ("S3RVER", "S3RVER"),
                    _ => ("AKIAEXAMPLE", "S3RVERS3RVER"),
                };
                vec![
                    ("AWS_ENDPOINT_URL", endpoint),
                    ("AWS_ALLOW_HTTP", "true".to_owned()),
                    ("AWS_REGION", "us-east-1".to_owned()),
                    ("AWS_ACCESS_KEY_ID", key.to_owned()),
                    ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
                ]
            }
        };
        let settings = settings.into_iter();
        settings
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let name = self.program.name();
                return Err(Error::other(format!("{name} ended at once: {status}")));
            }
            if begun.elapsed() > MAX_START {
                let name = self.program.name();
                return Err(Error::other(format!("{name} does not answer")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn make_bucket(&self) -> Result<()> {
        let target = match self.program {
            Program::Moto => format!("/{BUCKET}"),
            Program::Azurite => {
                format!("/{AZURITE_ACCOUNT}/{BUCKET}?restype=container&{AZURITE_SIGNATURE}")
            }
            Program::S3rver | Program::S3sFs => return Ok(()),
        };
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nx-ms-version: 2022-11-02\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        match status.starts_with('2') {
            true => Ok(()),
            false => Err(Error::other(format!("no bucket was made: {answer}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
