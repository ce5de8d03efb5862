//! Looking a user up in /etc/passwd and /etc/group: the value of `--user`, and both files.

use pidone::config::UserSpec;
use pidone::sys::identity::Identity;

use super::parts;

pub fn check(data: &[u8]) {
    let [who, passwd, group] = parts(data);
    let (user, wanted) = match who.split_once(':') {
        Some((user, group)) => (user.to_owned(), Some(group.to_owned())),
        None => (who, None),
    };
    let spec = UserSpec {
        user: user.clone(),
        group: wanted.clone(),
    };
    let Ok(identity) = Identity::resolve(&spec, &passwd, &group) else {
        return;
    };
    let numbers = [identity.uid, identity.gid];
    for number in numbers.iter().chain(&identity.groups) {
        // To the kernel, "leave it as it is" (setresuid(2)): root.
        assert_ne!(*number, u32::MAX);
    }
    let is = |text: &str, number: u32| text.parse() == Ok(number);
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let has = |file: &str, name: &str, place: usize, number: u32| {
        file.lines().map(fields).any(|fields| {
            let is_meant = fields[0] == name || fields.get(2).is_some_and(|id| *id == name);
            is_meant && fields.get(place).is_some_and(|text| is(text, number))
        })
    };
    // Each id is in the option or in the file.
    assert!(is(&user, identity.uid) || has(&passwd, &user, 2, identity.uid));
    match &wanted {
        Some(name) => {
            assert!(is(name, identity.gid) || has(&group, name, 2, identity.gid));
            assert!(identity.groups.is_empty());
        }
        None => {
            let number = identity.gid;
            let is_entrys = passwd.lines().map(fields).any(|fields| {
                fields.get(2).is_some_and(|id| is(id, identity.uid))
                    && fields.get(3).is_some_and(|gid| is(gid, number))
            });
            assert!(is_entrys || number == 0 && user.parse::<u32>().is_ok());
        }
    }
}
