//! Hosts that many strangers share. A URL on one of them says nothing about the host, so it never counts
//! as it: one bad file must not block github.com. (A feed that lists such a domain by its bare name is
//! believed; the allowlist and the warninglists of the config are there for that.)
//!
//! Each name stands for itself and what lies below it, except where the public suffix list
//! (publicsuffix.org) says that every subdomain belongs to another tenant: `tenant.github.io` is a host
//! of its own, `raw.githubusercontent.com` is everybody's and stands here in full.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::model::DomainName;

/// Whether strangers share `name`.
pub(super) fn is_shared(name: &DomainName) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| names().collect());
    let suffix = name.known_suffix().map_or(0, str::len);
    let mut above = name
        .self_and_parents()
        .take_while(|name| name.len() > suffix);
    above.any(|name| ALL.contains(name))
}

fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.into_iter().flat_map(str::split_whitespace)
}

const GROUPS: [&str; 9] = [
    CODE,
    FILES,
    PASTES,
    PAGES,
    SHORTENERS,
    MAIL_AND_CHAT,
    PLATFORMS,
    CLOUDS,
    GATEWAYS,
];

/// Code, packages and their downloads.
const CODE: &str = "
    avatars.githubusercontent.com bitbucket.org camo.githubusercontent.com codeberg.org crates.io
    docker.com docker.io gist.githubusercontent.com gitcode.com gitea.com gitee.com github.com
    gitlab.com huggingface.co jsdelivr.net launchpad.net media.githubusercontent.com npmjs.com
    npmjs.org nuget.org objects.githubusercontent.com packagist.org
    private-user-images.githubusercontent.com pypi.org pythonhosted.org quay.io
    raw.githubusercontent.com release-assets.githubusercontent.com rubygems.org sourceforge.net
    sr.ht statically.io unpkg.com user-images.githubusercontent.com
";

/// Files, pictures and videos that anyone may put there.
const FILES: &str = "
    0x0.st 1fichier.com 4shared.com anonfiles.com archive.org bayfiles.com box.com catbox.moe
    dailymotion.com dropbox.com dropboxusercontent.com egnyte.com file.io filebin.net filemail.com
    files.fm flickr.com gofile.io ibb.co icedrive.net imgbb.com imgur.com krakenfiles.com
    mediafire.com mega.co.nz mega.io mega.nz oshi.at pcloud.com pcloud.link pixeldrain.com
    postimg.cc rapidgator.net scribd.com send.cm sendspace.com slideshare.net soundcloud.com
    terabox.com tmpfiles.org transfer.sh upload.ee uploadhaven.com vimeo.com we.tl wetransfer.com
    workupload.com yadi.sk youtu.be youtube.com zippyshare.com
";

/// Texts that anyone may put there.
const PASTES: &str = "
    controlc.com dpaste.com dpaste.org ghostbin.com hastebin.com ideone.com justpaste.it paste.ee
    paste.rs pastebin.com pastebin.pl pastes.io rentry.co rentry.org telegra.ph textbin.net
    throwbin.io write.as
";

/// Pages, forms and shops that anyone may put up.
const PAGES: &str = "
    000webhostapp.com 1drv.ms airtable.com atlassian.net bio.link blogger.com byethost.com canva.com
    canva.site clickfunnels.com clickup.com coda.io cognitoforms.com figma.com formstack.com
    freshdesk.com ghost.io gitbook.com glitch.com glitch.me godaddysites.com hubspot.com
    infinityfreeapp.com issuu.com jimdo.com jotform.com lark.com leadpages.com linktr.ee
    livejournal.com mailchimp.com medium.com milanote.com miro.com monday.com mystrikingly.com
    notion.so prezi.com quora.com salesforce.com sharepoint.com shopify.com smartsheet.com
    sproutvideo.com squarespace.com strikingly.com substack.com surveymonkey.com trello.com
    tumblr.com typeform.com ucoz.com ucoz.net ucoz.ru webflow.com weebly.com wix.com wordpress.com
    wufoo.com yola.com zendesk.com zoho.com zohopublic.com
";

/// Shorteners and redirectors.
const SHORTENERS: &str = "
    adf.ly aka.ms bit.do bit.ly bitly.com bl.ink buff.ly clck.ru cutt.ly did.li dlvr.it dub.sh fb.me
    ffm.to goo.gl goo.su is.gd j.mp kutt.it l.ead.me linkin.bio lnkd.in me-qr.com ow.ly page.link
    q-r.to qrco.de rb.gy rebrand.ly rebrandly.com s.id short.gy short.io shorturl.at shorturl.com
    shrtco.de smarturl.it surl.li t.co t.ly t2m.io tiny.cc tinyurl.com tr.ee u.to urlz.fr v.gd vk.cc
    wa.me x.gd youtube-nocookie.com
";

/// Mail, chat and the social networks.
const MAIL_AND_CHAT: &str = "
    aol.com discord.com discord.gg discordapp.com discordapp.net facebook.com fbcdn.net fbsbx.com
    gmail.com gmx.com gmx.net hotmail.com icloud.com instagram.com line.me linkedin.com live.com
    mail.com mail.ru mailgun.org messenger.com ok.ru outlook.com pinterest.com proton.me
    protonmail.com qq.com redd.it reddit.com sendgrid.net signal.org skype.com slack-edge.com
    slack-files.com slack.com snapchat.com steamcommunity.com t.me telegram.me telegram.org
    threads.net tiktok.com twimg.com twitch.tv twitter.com viber.com vk.com vkontakte.ru wechat.com
    weibo.com whatsapp.com x.com yahoo.com ymail.com zoom.us
";

/// The sites of the largest companies, where anyone may have an account.
const PLATFORMS: &str = "
    adobe.com adobe.io aliexpress.com alipay.com amazon.com apple.com baidu.com bing.com
    docusign.com docusign.net duckduckgo.com ebay.com google.com googlegroups.com
    googleusercontent.com gstatic.com intuit.com microsoft.com microsoftonline.com mozilla.org
    msn.com naver.com office.com office.net office365.com onedrive.com oracle.com paypal.com
    samsung.com stackoverflow.com steampowered.com taobao.com ubuntu.com visualstudio.com
    wikimedia.org wikipedia.org windows.com windowsupdate.com yandex.com yandex.net yandex.ru
";

/// Clouds and their storage, networks of caches.
const CLOUDS: &str = "
    akamai.com aliyun.com aliyuncs.com amazonaws.com amazonaws.com.cn awsstatic.com azure.com
    b-cdn.net backblazeb2.com bcebos.com cdn77.org cloudflare.com cloudflarestorage.com
    cloudinary.com contabostorage.com digitalocean.com fastly.com googlevideo.com heroku.com
    idrivee2.com jsdelivr.com linode.com llnwd.net myhuaweicloud.com myqcloud.com myspacecdn.com
    oraclecloud.com qcloud.com qiniucdn.com scw.cloud selcdn.ru stackpathcdn.com tencent.com
    tencentcos.cn wasabisys.com windows.net wp.com
";

/// Doors to other networks, translators and caches of other people's pages, tunnels.
const GATEWAYS: &str = "
    archive.is archive.ph arweave.net fleek.co infura-ipfs.io ipfs.io ipfs.tech mypinata.cloud
    nftstorage.link ngrok.com onion.ly pinata.cloud tor2web.org w3s.link web3.storage
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_domain_and_stands_once() {
        let mut seen = HashSet::new();
        for name in names() {
            let domain = DomainName::try_new(name);
            assert_eq!(domain.as_ref().map(DomainName::as_str), Ok(name));
            assert!(seen.insert(name), "{name} stands twice");
        }
        for name in names() {
            let domain = DomainName::try_new(name).unwrap();
            let suffix = domain.known_suffix().map_or(0, str::len);
            let above = domain
                .self_and_parents()
                .skip(1)
                .find(|above| above.len() > suffix && seen.contains(above));
            assert_eq!(above, None, "{name} is covered already");
        }
    }

    #[test]
    fn tenants_are_hosts_of_their_own() {
        let shared = |name: &str| is_shared(&DomainName::try_new(name).unwrap());
        for name in [
            "github.com",
            "www.github.com",
            "raw.githubusercontent.com",
            "docs.google.com",
            "drive.google.com",
            "ipfs.io",
            "bit.ly",
            "tenant.sharepoint.com",
            "eu.s3.example.amazonaws.com",
            "cdn.discordapp.com",
        ] {
            assert!(shared(name), "{name}");
        }
        for name in [
            "tenant.github.io",
            "tenant.pages.dev",
            "example.com",
            "github.com.example.org",
            "notgithub.com",
            "bucket.s3.amazonaws.com",
            "tenant.blob.core.windows.net",
            "tenant.blogspot.com",
        ] {
            assert!(!shared(name), "{name}");
        }
    }
}
