import { randomUUID } from 'node:crypto';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import gossipService from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { structuredUuid } from './messages.js';

const VERSION = '23.10.8';

/** What the server says of itself per method; the client sends a deadline as a duration if it may. */
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  batchappend: ['deadline_duration'],
  read: ['position', 'events'],
};

/** ServerFeatures/GetSupportedMethods: the methods that are served here, and no others. */
export function supportedMethods(): features.SupportedMethods {
  const methods = new features.SupportedMethods();
  methods.setEventStoreServerVersion(VERSION);
  const services = [
    streamsService.StreamsService,
    featuresService.ServerFeaturesService,
    gossipService.GossipService,
  ];
  for (const { path } of services.flatMap((service) => Object.values(service))) {
    const [, service = '', name = ''] = path.toLowerCase().split('/');
    const method = new features.SupportedMethod();
    method.setServiceName(service);
    method.setMethodName(name);
    const isStreams = service.endsWith('.streams');
    method.setFeaturesList([...((isStreams && FEATURES[name]) || [])]);
    methods.addMethods(method);
  }
  return methods;
}

const LEADER = 8;

export interface Member {
  readonly host: string;
  readonly port: number;
}

/** Gossip/Read: one leader, alone or in front of the cluster that it is told to be. */
export function clusterInfo(leader: Member): gossip.ClusterInfo {
  const member = new gossip.MemberInfo();
  member.setInstanceId(structuredUuid(randomUUID()));
  member.setTimeStamp(`${Date.now()}0000`);
  member.setState(LEADER);
  member.setIsAlive(true);
  const endpoint = new gossip.EndPoint();
  endpoint.setAddress(leader.host);
  endpoint.setPort(leader.port);
  member.setHttpEndPoint(endpoint);
  const info = new gossip.ClusterInfo();
  info.addMembers(member);
  return info;
}
