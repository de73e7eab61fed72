export { startThreadedProjector } from './projector.js';
export { ProjectionRun } from './projection-run.js';
