export type { Projector } from './projection.js';
export { ProjectorModule } from './projector.module.js';
export { startProjector, startThreadedProjector, type ProjectorOptions } from './projector.js';
