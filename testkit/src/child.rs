//! A test that starts its own binary again, as a process that may be killed.

use std::io::{self, BufRead, BufReader};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A process that runs one test of this binary.
///
/// The test finds out from its environment that it is the child, and tells what it has to say on
/// lines of the standard output. The parent reads them to the end, also of a child that is gone.
#[derive(Debug)]
pub struct Child {
    process: Process,
}

impl Child {
    /// Starts the test of that name, as [`test_name`] gives it, with variables of its environment.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(test: &str, environment: &[(&str, String)]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", test, "--nocapture"]);
        for (name, value) in environment {
            command.env(name, value);
        }
        let process = command.stdout(Stdio::piped()).spawn()?;
        Ok(Self { process })
    }

    /// Sends SIGKILL once this time has passed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn kill_after(&mut self, time: Duration) -> io::Result<()> {
        std::thread::sleep(time);
        self.process.kill()
    }

    /// All lines up to the end of the process, and how it ended.
    ///
    /// # Errors
    /// Those of the system.
    pub fn finish(mut self) -> io::Result<(Vec<String>, ExitStatus)> {
        let mut lines = Vec::new();
        if let Some(output) = self.process.stdout.take() {
            for line in BufReader::new(output).lines() {
                lines.push(line?);
            }
        }
        Ok((lines, self.process.wait()?))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It is gone already, unless the parent panics.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The name by which its binary knows a test of a module; the module says `module_path!()`.
///
/// A name that no test has makes the binary run nothing, and end well.
///
/// ```
/// use emberlens_testkit::test_name;
/// assert_eq!(test_name("storage::a_zombie_is_fenced", "stopped"), "a_zombie_is_fenced::stopped");
/// assert_eq!(test_name("alone", "stopped"), "stopped");
/// ```
pub fn test_name(module_path: &str, test: &str) -> String {
    match module_path.split_once("::") {
        Some((_, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    }
}
