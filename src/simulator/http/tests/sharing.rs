//! One cloud and many who use it: processes, clients, clicks, changed accounts.

use super::*;

#[tokio::test]
async fn two_processes_share_one_cloud() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a, start: 5s }, { id: i-b }]
faults: [{ action: StartInstance, nth: 2, error: DiskError }, { at: 20s, set: { i-b: Running } }]",
    );
    let (one, other) = (cloud.serve().await, cloud.serve().await);
    assert_eq!(one.start("i-a").await.status, 200);
    assert_eq!(other.status("i-a").await, "Starting");
    assert_eq!(other.start("i-a").await.code(), "DiskError", "faults count what all processes served");
    assert_eq!(one.start("i-a").await.code(), "IncorrectInstanceStatus");
    let click = cloud.open();
    click.set("i-a", "Stopping").unwrap();
    click.set("i-b", "Melting").unwrap();
    assert_eq!((one.status("i-a").await, other.status("i-b").await), ("Stopping".into(), "Melting".into()));
    cloud.hand.set(20_000);
    assert_eq!(other.status("i-b").await, "Running");
    click.set("i-b", "stopped").unwrap();
    assert_eq!(one.status("i-b").await, "Stopped", "what was scheduled happens once");
    one.end().await;
    other.end().await;
    cloud.hand.set(90_000);
    let again = cloud.serve().await;
    assert_eq!((again.status("i-a").await, again.status("i-b").await), ("Stopped".into(), "Stopped".into()));
    again.end().await;
}

#[tokio::test]
async fn a_changed_account_begins_anew_and_the_server_of_the_old_one_says_so_and_ends() {
    let cloud = Cloud::new("instances: [{ id: i-a, start: 0s }]");
    let old = cloud.serve().await;
    old.start("i-a").await;
    assert_eq!(old.status("i-a").await, "Running");
    cloud.write("instances: [{ id: i-a, start: 0s }, { id: i-b }]");
    let new = cloud.serve().await;
    assert_eq!(new.status("i-a").await, "Stopped");
    let reply = old.start("i-a").await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "InternalError"));
    assert_eq!(new.start("i-b").await.status, 200);
    let ended = old.ended().await.unwrap_err().to_string();
    assert!(ended.contains("now belongs to a changed account file: start this simulator again"), "{ended}");
    new.end().await;
}

#[tokio::test]
async fn a_memory_that_cannot_be_used_is_an_internal_error_and_no_end() {
    let cloud = Cloud::new("memory: memory/cloud.json\ninstances: [{ id: i-a }]");
    let server = cloud.serve().await;
    let folder = cloud.folder.path().join("memory");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let reply = server.start("i-a").await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "InternalError"));
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(server.start("i-a").await.status, 200, "it goes on once it can");
    server.end().await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    let cloud = Cloud::new("");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = cloud.open().serve(listener, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn many_clients_at_once_get_one_acceptance() {
    let cloud = Cloud::new("instances: [{ id: i-a }]");
    let server = Arc::new(cloud.serve().await);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let server = Arc::clone(&server);
        calls.spawn(async move { server.start("i-a").await.status });
    }
    let statuses = calls.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 39);
    Arc::into_inner(server).unwrap().end().await;
}

#[test]
fn a_click_on_what_is_not_there_names_what_may_have_been_meant() {
    let cloud = Cloud::new(
        "instances: [{ id: i-bp1db, name: db }, { id: i-bp1app }, { id: i-gone, status: Released }]",
    );
    let simulator = cloud.open();
    let message = |id: &str| simulator.set(id, "Running").unwrap_err().to_string();
    assert!(message("i-bp1bd").contains("did you mean i-bp1db"), "{}", message("i-bp1bd"));
    assert!(message("db").ends_with("did you mean i-bp1db?"), "{}", message("db"));
    assert!(!message("i-something-else").contains("did you mean"));
    assert!(message("i-gone").contains("was released"));
    simulator.set("i-bp1db", "Released").unwrap();
    assert!(message("i-bp1db").contains("was released"));
}

#[test]
fn what_cannot_be_opened_says_which_file_and_what_to_do() {
    let cloud = Cloud::new("instances: [{ id: db }]\nlag: soon");
    let open = |path: &Path| Simulator::open_with(path, cloud.hand.clock(), 1).unwrap_err();
    let unsound = open(&cloud.file()).to_string();
    assert!(unsound.contains("account.yaml:4:19: \"db\" is not an instance id"), "{unsound}");
    assert!(unsound.contains("account.yaml:5:6: \"soon\" is not a duration"), "{unsound}");
    let missing = open(&cloud.folder.path().join("nowhere.yaml"));
    assert!(matches!(missing, SimulatorError::AccountFile { .. }));
    assert!(missing.to_string().contains("nowhere.yaml"));
    cloud.write("memory: notes.txt");
    std::fs::write(cloud.folder.path().join("notes.txt"), "mine\n").unwrap();
    let notes = open(&cloud.file()).to_string();
    assert!(notes.contains("line 1") && notes.contains("notes.txt"), "{notes}");
}
