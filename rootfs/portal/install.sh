# Sourced by rootfs/finish.sh where the root of a portal is made: the provisioning service with what it loads by name, its units.

portal=$root/usr/lib/moat/provisioning
install -D -m 755 "$top/provisioning/bin/portal" "$portal/bin/portal"
mkdir -p "$portal/web" "$portal/mail"
cp -a "$top/provisioning/web/." "$portal/web/"
cp -a "$top/provisioning/mail/templates" "$portal/mail/"
ln -sfn /usr/lib/moat/provisioning/bin/portal "$root/usr/bin/portal"
cp -a "$top/rootfs/portal/overlay/." "$root/"
# The same unit as on a plain Debian, with the same walls around it.
sed 's#/opt/moat/#/usr/lib/moat/#' "$top/provisioning/operations/moat-portal.service" >"$root/usr/lib/systemd/system/moat-portal.service"
chroot "$root" systemctl --quiet enable moat-portal-firewall.service moat-portal-start.service moat-portal.service moat-portal-backup.timer 2>/dev/null
