//! `central-hub`: see `central-hub --help`.

fn main() -> std::process::ExitCode {
    central_hub::cli::main()
}
