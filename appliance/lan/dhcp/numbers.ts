/** DHCP message types (RFC 2132 9.6). */
export const messageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Option codes that moat knows by name (IANA bootp-dhcp-parameters). */
export const option = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  ntpServers: 42,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequestList: 55,
  message: 56,
  maximumMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  tftpServerName: 66,
  bootFile: 67,
  clientFqdn: 81,
  relayAgentInformation: 82,
  ipv6OnlyPreferred: 108,
  captivePortal: 114,
  domainSearch: 119,
  classlessRoutes: 121,
  microsoftClasslessRoutes: 249,
  end: 255,
} as const;

export const serverPort = 67;
export const clientPort = 68;
