# The application: its own files on the gems.
ARG BASE
FROM ${BASE}
WORKDIR /srv
COPY . /srv
RUN SECRET_KEY_BASE_DUMMY=1 bundle exec rake assets:precompile && useradd --system --uid 10001 app && chown -R app log tmp public
USER 10001:10001
EXPOSE 3000
CMD ["bundle", "exec", "puma", "-b", "tcp://0.0.0.0:3000"]
