//! Programs that print credentials. Those that run are shells, so these tests run on Unix.

use proptest::prelude::*;

use super::*;

#[test]
fn a_command_is_split_as_a_shell_does() {
    for (command, split) in [
        ("", vec![]),
        ("  \t\n ", vec![]),
        ("a b  c", vec!["a", "b", "c"]),
        (r#"a "b c" 'd e'"#, vec!["a", "b c", "d e"]),
        (r#"a'b'"c"d"#, vec!["abcd"]),
        (r#"'' """#, vec!["", ""]),
        (r"a\ b \'c", vec!["a b", "'c"]),
        (r#""a\"b\\c\d""#, vec![r#"a"b\c\d"#]),
        (r"'a\'", vec![r"a\"]),
        ("echo $HOME | cat; `id` > x", vec!["echo", "$HOME", "|", "cat;", "`id`", ">", "x"]),
        ("网 络", vec!["网", "络"]),
    ] {
        assert_eq!(words(command).expect(command), split, "{command}");
    }
    for command in ["'a", "\"a", "\"a\\", "a\\"] {
        assert!(words(command).is_err(), "{command}");
    }
}

proptest! {
    #[test]
    fn quoted_words_come_back_and_nothing_panics(given in proptest::collection::vec(".{0,12}", 0..6), any in ".{0,60}") {
        let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
        let command: Vec<String> = given.iter().map(quote).collect();
        prop_assert_eq!(words(&command.join(" ")), Ok(given));
        let _ = words(&any);
    }
}

#[cfg(unix)]
mod on_unix {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::aliyun::surroundings::tests::surroundings;
    use crate::aliyun::transport::Transport;

    fn context(variables: &[(&str, &str)]) -> Context {
        Context {
            surroundings: surroundings(variables, None),
            transport: Transport::default(),
            region: None,
            vpc: false,
        }
    }

    async fn printed(text: &str) -> Result<Grant, Missing> {
        fetch(&context(&[]), &format!("printf %s '{text}'"), "a program").await
    }

    #[tokio::test]
    async fn a_key_and_a_temporary_key_are_taken_from_what_is_printed() {
        let key =
            printed(r#"{"mode":"AK","access_key_id":"i","access_key_secret":"s"}"#).await.expect("a key");
        assert!(key.credentials.security_token.is_none());
        assert_eq!(key.lifetime, Lifetime::Short(KEPT));
        let text = r#"{"mode":"ststoken","access_key_id":"STS.i","access_key_secret":"s","sts_token":"t",
            "expiration":"2027-01-15T09:00:00Z"}"#;
        let temporary = printed(text).await.expect("a temporary key");
        assert_eq!(temporary.credentials.security_token.expect("there").expose_secret(), "t");
        assert_eq!(temporary.lifetime, Lifetime::Until("2027-01-15T09:00:00Z".parse().expect("a time")));
        assert_eq!(temporary.credentials.source, "a program");
    }

    #[tokio::test]
    async fn what_is_printed_otherwise_is_refused_and_not_quoted() {
        for (text, words) in [
            ("s3cret", "not JSON"),
            ("", "not JSON"),
            ("{}", "access_key_id"),
            (r#"{"mode":"AK","access_key_id":"i"}"#, "access_key_secret"),
            (r#"{"mode":"StsToken","access_key_id":"i","access_key_secret":"s3cret"}"#, "sts_token"),
            (r#"{"mode":"s3cret","access_key_id":"i","access_key_secret":"s"}"#, "a mode other than"),
            (r#"{"access_key_id":"i","access_key_secret":"s","expiration":"s3cret"}"#, "no time"),
        ] {
            let missing = printed(text).await.expect_err(text);
            assert!(missing.why().contains(words) && !missing.why().contains("s3cret"), "{missing}");
        }
    }

    #[tokio::test]
    async fn programs_that_fail_hang_or_flood_are_given_up() {
        for (command, words) in [
            ("sh -c 'echo s3cret; echo s3cret >&2; exit 3'", "exit status: 3"),
            ("powerform-no-such-program s3cret", "cannot be run"),
            ("yes s3cret", "more than 64 KiB"),
            ("", "is empty"),
            ("sh -c 'echo s3cret", "quote"),
        ] {
            let missing = fetch(&context(&[]), command, "a program").await.expect_err(command);
            assert!(missing.why().contains(words) && !missing.why().contains("s3cret"), "{missing}");
        }
        let limit = Duration::from_millis(50);
        let missing = fetch_within(&context(&[]), "sleep 600", "a program", limit).await.expect_err("hangs");
        assert!(missing.why().contains("did not end within 0.05 s"), "{missing}");
    }

    #[tokio::test]
    async fn no_program_runs_where_that_is_forbidden() {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("trace");
        for value in ["true", "TRUE", "1", "yes"] {
            let context = context(&[(DISABLED, value)]);
            let missing = fetch(&context, &format!("touch {}", trace.display()), "a program").await;
            assert!(missing.expect_err("forbidden").why().contains(DISABLED));
        }
        assert!(!trace.exists());
        let context = context(&[(DISABLED, "false")]);
        assert!(fetch(&context, &format!("touch {}", trace.display()), "a program").await.is_err());
        assert!(trace.exists(), "it ran, and printed nothing");
    }
}
