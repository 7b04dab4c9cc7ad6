//! Digest: the vectors of the RFCs, which challenge is answered, and when it is given up.

use super::*;
use crate::dialer::sip::wire::Method as SipMethod;

#[test]
fn the_example_of_rfc_2617_comes_out() {
    let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let proof = prove(
        challenge,
        "Mufasa",
        "Circle Of Life",
        "/dir/index.html",
        "0a4f113b",
    );
    assert_eq!(proof.response, "6629fae49393a05397450978507c4ef1");
    assert_eq!(proof.opaque.as_deref(), Some("5ccc069c403ebaf9f0171e9517f40e41"));
    assert!(
        proof
            .to_string()
            .ends_with(", qop=auth, nc=00000001, cnonce=\"0a4f113b\""),
        "{proof}"
    );
}

#[test]
fn the_examples_of_rfc_7616_come_out() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let proof = prove(&challenge, "Mufasa", "Circle of Life", "/dir/index.html", cnonce);
        assert_eq!(proof.response, response, "{algorithm}");
    }
}

#[test]
fn the_example_of_rfc_7616_for_sha_512_256_comes_out_as_its_erratum_says() {
    // Erratum 4897: the RFC cut SHA-512 where SHA-512/256 starts from other values.
    let challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
        nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\"";
    let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
    let proof = prove(
        challenge,
        "J\u{e4}s\u{f8}n Doe",
        "Secret, or not?",
        "/doe.json",
        cnonce,
    );
    assert_eq!(
        proof.response,
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    );
}

#[test]
fn without_qop_the_proof_is_that_of_rfc_2069() {
    let proof = prove("Digest realm=\"r\", nonce=\"n\"", "u", "p", "sip:h", "unused");
    assert_eq!(proof.response, "619eb10c8b0e7c903adb725673b817f3");
    assert_eq!(proof.protection, None);
}

#[test]
fn a_session_key_and_a_protected_body_come_out() {
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\", algorithm=MD5-sess";
    let proof = prove(challenge, "u", "p", "sip:h", "c");
    assert_eq!(proof.response, "5c0894c5862334998ff2a9bf1fa2546a");
}

#[test]
fn every_algorithm_comes_out_with_every_protection() {
    let account = Account {
        username: "room".to_owned(),
        password: Secret::new("s\u{e9}cret"),
        realm: String::new(),
    };
    let asked = Asked {
        method: "INVITE",
        uri: "sip:meet@example.com",
        body: b"v=0\r\n",
    };
    let rows = include_str!("../../../../tests/data/sip/digests.tsv").lines();
    let rows: Vec<_> = rows.filter(|row| !row.starts_with('#')).collect();
    assert_eq!(rows.len(), 39);
    for row in rows {
        let cells: Vec<_> = row.split('\t').collect();
        let given = |name: &str, value: &str| match value {
            "-" => String::new(),
            value => format!(", {name}=\"{value}\""),
        };
        let (algorithm, qop) = (given("algorithm", cells[0]), given("qop", cells[1]));
        let challenge = format!("Digest realm=\"example.com\", nonce=\"n0nce\"{algorithm}{qop}");
        let challenge = Challenge::parse(&challenge).unwrap();
        let proof = credentials(&challenge, &account, asked, 10, "c0nce").unwrap();
        let taken = proof.protection.map_or("-", |protection| protection.qop);
        assert_eq!((taken, proof.response.as_str()), (cells[2], cells[3]), "{row}");
    }
}

#[test]
fn protections_that_nobody_knows_are_no_usable_challenge() {
    for qop in ["auth-conf", "", " , "] {
        let response = challenged(&[&format!("Digest realm=\"r\", nonce=\"1\", qop=\"{qop}\"")]);
        let taken = Authenticator::new().take_challenges(Some(&account()), &response);
        assert_eq!(taken, Err(DigestFault::NoUsableChallenge), "{qop:?}");
    }
}

#[test]
fn the_strongest_known_algorithm_is_answered() {
    let (mut authenticator, mut request) = (Authenticator::new(), request());
    let response = challenged(&[
        "Digest realm=\"r\", nonce=\"1\", algorithm=SHA-512/256-new",
        "Digest realm=\"r\", nonce=\"2\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"4\", algorithm=SHA-256, qop=\"unknown\"",
        "Basic realm=\"r\"",
    ]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request, &mut chance());
    let credentials: Vec<_> = request.headers.all("Authorization").collect();
    assert_eq!(credentials.len(), 1);
    assert!(
        credentials[0].contains("nonce=\"3\"") && credentials[0].contains("algorithm=SHA-256"),
        "{credentials:?}"
    );
}

#[test]
fn challenges_joined_in_one_line_are_told_apart() {
    let (mut authenticator, mut request) = (Authenticator::new(), request());
    let response =
        challenged(&["Digest realm=\"a, b\", nonce=\"1\", Digest realm=\"c\", nonce=\"2\", algorithm=MD5"]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request, &mut chance());
    assert_eq!(request.headers.all("Authorization").count(), 2);
}

#[test]
fn quotes_in_a_realm_are_escaped_on_the_way_back() {
    let (mut authenticator, mut request) = (Authenticator::new(), request());
    let response = challenged(&["Digest realm=\"the \\\"room\\\" \\\\ x\", nonce=\"1\", opaque=\"\""]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request, &mut chance());
    let credentials = request.headers.get("Authorization").unwrap();
    assert!(credentials.contains("realm=\"the \\\"room\\\" \\\\ x\"") && credentials.contains("opaque=\"\""));
    // The proof is made of the realm without escapes.
    assert!(
        credentials.contains("response=\"fe76bda4e0c2010e5ab518a8cf3c123d\""),
        "{credentials}"
    );
}

#[test]
fn another_realm_than_ours_is_not_answered() {
    let only = Account {
        realm: "ours".to_owned(),
        ..account()
    };
    let mut authenticator = Authenticator::new();
    let response = challenged(&["Digest realm=\"theirs\", nonce=\"1\""]);
    let fault = authenticator.take_challenges(Some(&only), &response).unwrap_err();
    assert_eq!(fault, DigestFault::OtherRealm("theirs".to_owned()));
    let mut request = request();
    authenticator.authorize(Some(&only), &mut request, &mut chance());
    assert_eq!(request.headers.get("Authorization"), None);
    let response = challenged(&[
        "Digest realm=\"theirs\", nonce=\"1\"",
        "Digest realm=\"ours\", nonce=\"2\"",
    ]);
    assert_eq!(authenticator.take_challenges(Some(&only), &response), Ok(()));
}

#[test]
fn nothing_is_shown_without_an_account() {
    let response = challenged(&["Digest realm=\"r\", nonce=\"1\""]);
    let nameless = Account {
        username: String::new(),
        ..account()
    };
    let passwordless = Account {
        password: Secret::new(""),
        ..account()
    };
    for account in [None, Some(&nameless), Some(&passwordless)] {
        assert_eq!(
            Authenticator::new().take_challenges(account, &response),
            Err(DigestFault::NoAccount)
        );
    }
}

#[test]
fn an_unknown_scheme_or_algorithm_is_no_usable_challenge() {
    for challenge in [
        "NoOneKnowsThisScheme opaque-data=here",
        "Digest realm=\"r\", nonce=\"1\", algorithm=CRC",
        "Digest realm=\"r\", nonce=\"1\", algorithm=MD5-sess",
        "Digest realm=\"r\"",
        "Digest realm=\"r",
        "",
    ] {
        let fault = Authenticator::new().take_challenges(Some(&account()), &challenged(&[challenge]));
        assert_eq!(fault, Err(DigestFault::NoUsableChallenge), "{challenge}");
    }
}

#[test]
fn the_same_challenge_again_means_a_wrong_password() {
    let mut authenticator = Authenticator::new();
    let response = challenged(&["Digest realm=\"r\", nonce=\"1\""]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request(), &mut chance());
    for again in [
        "Digest realm=\"r\", nonce=\"1\"",
        "Digest realm=\"r\", nonce=\"2\"",
        "Digest realm=\"r\", nonce=\"3\", stale=false",
    ] {
        let fault = authenticator
            .clone()
            .take_challenges(Some(&account()), &challenged(&[again]));
        assert_eq!(fault, Err(DigestFault::Refused), "{again}");
    }
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let mut authenticator = Authenticator::new();
    for nonce in 0..=u32::from(MOST_STALE) {
        let response = challenged(&[&format!(
            "Digest realm=\"r\", nonce=\"{nonce}\", stale=TRUE, qop=auth"
        )]);
        authenticator
            .take_challenges(Some(&account()), &response)
            .unwrap();
        let mut request = request();
        authenticator.authorize(Some(&account()), &mut request, &mut chance());
        assert!(
            request
                .headers
                .get("Authorization")
                .unwrap()
                .contains("nc=00000001")
        );
    }
    let response = challenged(&["Digest realm=\"r\", nonce=\"x\", stale=true"]);
    let fault = authenticator.take_challenges(Some(&account()), &response);
    assert_eq!(fault, Err(DigestFault::StaleForEver));
}

#[test]
fn a_new_nonce_in_mid_call_is_answered_even_when_it_is_not_called_stale() {
    let mut authenticator = Authenticator::new();
    authenticator
        .take_challenges(
            Some(&account()),
            &challenged(&["Digest realm=\"r\", nonce=\"1\""]),
        )
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request(), &mut chance());
    authenticator.note_accepted();
    authenticator.authorize(Some(&account()), &mut request(), &mut chance());
    let response = challenged(&["Digest realm=\"r\", nonce=\"2\""]);
    assert_eq!(authenticator.take_challenges(Some(&account()), &response), Ok(()));
    authenticator.authorize(Some(&account()), &mut request(), &mut chance());
    assert_eq!(
        authenticator.take_challenges(Some(&account()), &response),
        Err(DigestFault::Refused)
    );
}

#[test]
fn the_same_nonce_in_mid_call_again_means_that_we_are_not_wanted_any_more() {
    let mut authenticator = Authenticator::new();
    let response = challenged(&["Digest realm=\"r\", nonce=\"1\""]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    authenticator.authorize(Some(&account()), &mut request(), &mut chance());
    authenticator.note_accepted();
    assert_eq!(
        authenticator.take_challenges(Some(&account()), &response),
        Err(DigestFault::Refused)
    );
}

#[test]
fn nonces_are_counted_in_hexadecimal_and_keep_our_nonce() {
    let mut authenticator = Authenticator::new();
    let response = challenged(&["Digest realm=\"r\", nonce=\"1\", qop=\"auth\""]);
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    let mut cnonces = Vec::new();
    let mut chance = chance();
    for count in 1..=20_u32 {
        let mut request = request();
        authenticator.authorize(Some(&account()), &mut request, &mut chance);
        let credentials = request.headers.get("Authorization").unwrap();
        assert!(credentials.contains(&format!("nc={count:08x},")), "{credentials}");
        cnonces.push(credentials.split("cnonce=").nth(1).unwrap().to_owned());
    }
    assert!(
        cnonces
            .iter()
            .all(|cnonce| *cnonce == cnonces[0] && cnonce.len() == 34)
    );
}

#[test]
fn a_proxy_and_the_far_end_are_both_answered_and_old_credentials_go() {
    let mut authenticator = Authenticator::new();
    let mut response = challenged(&["Digest realm=\"r\", nonce=\"1\""]);
    response
        .headers
        .push("Proxy-Authenticate", "Digest realm=\"r\", nonce=\"2\"");
    authenticator
        .take_challenges(Some(&account()), &response)
        .unwrap();
    let mut request = request();
    for _ in 0..2 {
        authenticator.authorize(Some(&account()), &mut request, &mut chance());
        assert!(
            request
                .headers
                .get("Authorization")
                .unwrap()
                .contains("nonce=\"1\"")
        );
        assert!(
            request
                .headers
                .get("Proxy-Authorization")
                .unwrap()
                .contains("nonce=\"2\"")
        );
        assert_eq!(request.headers.all("Authorization").count(), 1);
    }
}

#[test]
fn a_far_end_with_ever_new_realms_is_given_up() {
    let mut authenticator = Authenticator::new();
    let results: Vec<_> = (0..10)
        .map(|number| {
            let response = challenged(&[&format!("Digest realm=\"r{number}\", nonce=\"1\"")]);
            authenticator.take_challenges(Some(&account()), &response)
        })
        .collect();
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        MOST_REALMS
    );
}

#[test]
fn neither_password_nor_proof_is_printed_for_logs() {
    let proof = prove(
        "Digest realm=\"r\", nonce=\"n\"",
        "u",
        "secret",
        "sip:12345*0012@h",
        "c",
    );
    let printed = format!("{:?} {:?}", account(), proof);
    assert!(!printed.contains("secret") && !printed.contains(&proof.response) && !printed.contains("0012"));
}

fn prove(challenge: &str, username: &str, password: &str, uri: &str, cnonce: &str) -> Credentials {
    let account = Account {
        username: username.to_owned(),
        password: Secret::new(password),
        realm: String::new(),
    };
    let asked = Asked {
        method: "GET",
        uri,
        body: b"",
    };
    credentials(&Challenge::parse(challenge).unwrap(), &account, asked, 1, cnonce).unwrap()
}

fn account() -> Account {
    Account {
        username: "room".to_owned(),
        password: Secret::new("secret"),
        realm: String::new(),
    }
}

fn request() -> Request {
    Request::new(SipMethod::Invite, "sip:b@h".parse().unwrap())
}

fn challenged(challenges: &[&str]) -> Response {
    let mut response = request().response(401, "Unauthorized");
    for challenge in challenges {
        response.headers.push("WWW-Authenticate", *challenge);
    }
    response
}

fn chance() -> Chance {
    Chance::from_seed([3; 32])
}
