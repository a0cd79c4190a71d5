//! C14, C16, C17: system calls that reach the host.

use super::{holds, powerful};

/// Makes a system call by its number; it breaks through unless the answer is "not permitted".
fn attempt(number: i64, arguments: &str) -> String {
    format!(
        "perl -e '$! = 0; my @a = ({arguments}); my $r = syscall({number}, @a); \
         print $r >= 0 || $! != 1 ? \"BROKEN $!\" : \"not permitted\"'"
    )
}

fn number(name: &str) -> i64 {
    i64::from(name.parse::<syscalls::Sysno>().unwrap().id())
}

/// With all power the kernel answers something else than "not permitted", mostly that the arguments
/// make no sense.
async fn is_forbidden(name: &str, arguments: &str) {
    holds(name, &attempt(number(name), arguments), powerful).await;
}

#[tokio::test]
async fn c14_the_root_cannot_be_changed() {
    is_forbidden("pivot_root", "\"/none\", \"/none\"").await;
}

#[tokio::test]
async fn c16_namespaces_of_others_cannot_be_entered() {
    is_forbidden("setns", "99, 0").await;
}

#[tokio::test]
async fn c17_keys_cannot_be_managed() {
    is_forbidden("keyctl", "0, 0, 0, 0, 0").await;
    is_forbidden("add_key", "0, 0, 0, 0, 0").await;
    is_forbidden("request_key", "0, 0, 0, 0").await;
}

#[tokio::test]
async fn c17_no_program_can_be_loaded_into_the_kernel() {
    is_forbidden("bpf", "99, 0, 0").await;
    is_forbidden("init_module", "0, 0, 0").await;
    is_forbidden("finit_module", "99, 0, 0").await;
    is_forbidden("delete_module", "\"no-such-module\", 0").await;
}

#[tokio::test]
async fn c17_nobody_s_performance_can_be_watched() {
    is_forbidden("perf_event_open", "0, 0, 0, 0, 0").await;
}

#[tokio::test]
async fn c17_io_uring_is_closed() {
    is_forbidden("io_uring_setup", "0, 0").await;
    is_forbidden("io_uring_enter", "99, 0, 0, 0, 0, 0").await;
    is_forbidden("io_uring_register", "99, 0, 0, 0").await;
}

#[tokio::test]
async fn c17_page_faults_cannot_be_handled() {
    is_forbidden("userfaultfd", "99999999").await;
}

#[tokio::test]
async fn c17_no_other_kernel_can_be_loaded() {
    is_forbidden("kexec_load", "0, 999999999, 0, 0").await;
    is_forbidden("kexec_file_load", "99, 99, 0, 0, 4096").await;
}

#[tokio::test]
async fn c17_files_cannot_be_opened_by_handle() {
    is_forbidden("open_by_handle_at", "99, 0, 0").await;
}

#[tokio::test]
async fn c17_the_new_calls_for_mounts_are_closed_too() {
    is_forbidden("fsopen", "\"none-such\", 0").await;
    is_forbidden("open_tree", "-100, \"/none\", 0").await;
    is_forbidden("move_mount", "99, \"\", 99, \"\", 0").await;
    is_forbidden("mount_setattr", "99, \"\", 0, 0, 0").await;
}
