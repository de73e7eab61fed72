import { Metadata, ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';

/**
 * Makes grpc-js answer as the web server of EventStoreDB does: content type without "+proto", no text
 * beside status 0, and no blank escaped in a text.
 */
export const likeKestrel: ServerInterceptor = (_, call) => {
  let begun = false;
  return new ServerInterceptingCall(call, {
    sendMetadata(metadata, next) {
      begun = true;
      next(withContentType(metadata));
    },
    sendStatus(ended, next) {
      const metadata = ended.metadata ?? new Metadata();
      // Without a message before it, the status travels in the headers.
      if (!begun) withContentType(metadata);
      const details = ended.code === status.OK ? '' : (ended.details ?? '');
      if (PRINTABLE.test(details)) metadata.set('grpc-message', details);
      next({ ...ended, metadata, details });
    },
  });
};

const PRINTABLE = /^[ -$&-~]+$/;

function withContentType(metadata: Metadata): Metadata {
  metadata.set('content-type', 'application/grpc');
  return metadata;
}
